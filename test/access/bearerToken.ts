import { expect } from 'vitest'
import { api } from '../support/apiClient.ts'
import { eventually } from '../support/eventually.ts'
import type { ServerProcess } from '../support/ServerProcess.ts'
import { asksForTokens, nowInSeconds, sign } from '../support/tokens.ts'

const [iss, aud] = ['https://issuer.example', 'weft of these tests']

/** Settings of a server that looks at all of a token. */
export const strictEnv = { ...asksForTokens, WEFT_AUTH_ISSUER: iss, WEFT_AUTH_AUDIENCE: aud }

export const DOCUMENT = 'matrix/one'

const everywhere = (role: string) => ({ iss, aud, docs: [{ prefix: '', role }] })
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
let users = 0

export const ownerToken = (): Promise<string> => sign({ sub: 'the owner', ...everywhere('owner') })

/** What somebody shows, and what happens to it once it was looked at for the first time. */
export interface Bearer {
  readonly token: string
  readonly taken: (server: ServerProcess) => Promise<void>
}

/** Takes back what tokens give; `body` as of the API. */
export async function revoke(server: ServerProcess, body: object): Promise<void> {
  const headers = { 'Content-Type': 'application/json', 'X-Requested-With': 'test' }
  const sent = { token: await ownerToken(), headers, body: JSON.stringify(body) }
  expect((await api(server, 'POST', '/api/v1/revocations', sent)).status).toBe(201)
}

/** A bearer of `bearers`, each time another user. */
export async function makeBearer(name: string): Promise<Bearer> {
  const sub = `user ${++users}`
  const stays = async () => {}
  const role = { 'a viewer': 'viewer', 'a commenter': 'commenter', 'an editor': 'editor' }[name]
  if (role !== undefined) return { token: await sign({ sub, ...everywhere(role) }), taken: stays }
  const editor = { sub, ...everywhere('editor') }
  const revoked = (body: object) => (server: ServerProcess) => revoke(server, { user: sub, ...body })
  switch (name) {
    case 'no token':
      return { token: '', taken: stays }
    case 'a token that is none':
      return { token: 'garbage', taken: stays }
    case 'a token that has expired':
      return { token: await sign({ ...editor, exp: nowInSeconds() - 60 }), taken: stays }
    case 'an editor whose token ends while connected': {
      // Clocks may differ by 5 s: it is taken for 2 s at least.
      const token = await sign({ ...editor, exp: nowInSeconds() - 2 })
      const isOver = async (server: ServerProcess) =>
        (await api(server, 'GET', '/api/v1/access', { token })).status === 401
      return {
        token,
        taken: async server => {
          await eventually('the end of a token', () => isOver(server))
        },
      }
    }
    case 'a token for another audience':
      return { token: await sign({ ...editor, aud: 'others' }), taken: stays }
    case 'a token of another issuer':
      return { token: await sign({ ...editor, iss: 'https://others.example' }), taken: stays }
    case 'a token signed with another key':
      return { token: await sign(editor, 'another secret of more than thirty-two bytes'), taken: stays }
    case 'a token signed with none': {
      const claims = { ...editor, exp: nowInSeconds() + 60 }
      return { token: `${encode({ alg: 'none' })}.${encode(claims)}.`, taken: stays }
    }
    case 'a token that was revoked':
      return { token: await sign(editor), taken: revoked({}) }
    case 'an editor who was made a viewer':
      return { token: await sign(editor), taken: revoked({ role: 'viewer' }) }
    case 'an owner of another document':
      return { token: await sign({ sub, iss, aud, docs: [{ document: 'other', role: 'owner' }] }), taken: stays }
    case 'a token without documents':
      return { token: await sign({ sub, iss, aud, docs: [] }), taken: stays }
    case 'an owner of these documents':
      return { token: await sign({ sub, iss, aud, docs: [{ prefix: 'matrix/', role: 'owner' }] }), taken: stays }
    case 'an owner of all documents':
      return { token: await sign({ sub, ...everywhere('owner') }), taken: stays }
    default:
      throw new RangeError(`no bearer is ${name}`)
  }
}
