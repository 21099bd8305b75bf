import { createSecretKey } from 'node:crypto'
import type { DocumentId } from '@weft/protocol'
import { SignJWT } from 'jose'
import { expect, it } from 'vitest'
import { systemClock } from '../clock.ts'
import { Access, type RightsTakenBack } from './Access.ts'
import { SecretKey } from './KeySource.ts'

const secret = createSecretKey(Buffer.from('a secret of thirty-two bytes, yes'))
const tokenOf = (sub: string) =>
  new SignJWT({ docs: [{ prefix: '', role: 'editor' }] })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(sub)
    .setExpirationTime('1h')
    .sign(secret)

it('[threat P2] what is revoked counts nowhere any more, and open sessions are told to look', async () => {
  const access = new Access([new SecretKey(secret)], systemClock)
  let rechecks = 0
  access.onRecheck(() => rechecks++)
  const [ann, bo] = [await tokenOf('ann'), await tokenOf('bo')]
  const granted = await access.admit(ann, 'a' as DocumentId)
  expect(granted).toMatchObject({ userId: 'ann', role: 'editor' })
  const revocations: RightsTakenBack = {
    refusal: ({ userId }) => (userId === 'ann' ? 'the token was revoked' : null),
    review: (grant, _verified, documentId) => (documentId === 'b' ? { ...grant, role: 'viewer' } : grant),
  }
  access.revokeBy(revocations)
  expect(rechecks).toBe(1)
  const refused = { close: 'unauthorized', text: 'the token was revoked' }
  expect('review' in granted && granted.review?.()).toEqual(refused)
  expect(await access.admit(ann, 'a' as DocumentId)).toEqual(refused)
  expect(access.grantEverywhere(await access.verify(ann))).toEqual(refused)
  expect(await access.admit(bo, 'a' as DocumentId)).toMatchObject({ role: 'editor' })
  expect(await access.admit(bo, 'b' as DocumentId)).toMatchObject({ role: 'viewer' })
  access.recheck()
  expect(rechecks).toBe(2)
})
