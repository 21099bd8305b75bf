import type { DocumentId } from '@weft/protocol'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Clock } from '../clock.ts'
import type { AccessRecords, RecordValue } from './AccessRecords.ts'
import { guestId } from './guests.ts'
import { madeUserId } from './madeUsers.ts'
import { Revocations, type RevokedTokens } from './Revocations.ts'
import type { TokenIdentity } from './TokenIdentity.ts'

const HOUR_MS = 60 * 60_000
const a = 'a' as DocumentId
const b = 'b' as DocumentId

class Records implements AccessRecords {
  readonly values = new Map<string, RecordValue>()

  entries(prefix: string): Iterable<readonly [string, RecordValue]> {
    return [...this.values].filter(([key]) => key.startsWith(prefix))
  }

  get(key: string): RecordValue | undefined {
    return this.values.get(key)
  }

  async change(changes: ReadonlyMap<string, RecordValue | null>): Promise<void> {
    for (const [key, value] of changes) {
      if (value === null) this.values.delete(key)
      else this.values.set(key, value)
    }
  }
}

describe('revocations', () => {
  let now = 0
  let records = new Records()
  const clock = { wallTime: () => now } as Clock
  const noLinks = () => false
  const revoke = (revocations: Revocations, tokens: Partial<RevokedTokens>, role: 'viewer' | null = null) =>
    revocations.add(
      { user: null, isOfMade: true, link: null, token: null, document: null, notBefore: now, ...tokens },
      role,
      'host',
      noLinks,
    )
  const token = (identity: Partial<TokenIdentity> = {}): TokenIdentity => ({
    userId: 'ann',
    tokenId: 'one',
    linkId: null,
    makers: [],
    issuedAt: now - HOUR_MS,
    ...identity,
  })

  beforeEach(() => {
    now = Date.UTC(2027, 0, 1)
    records = new Records()
  })

  it('are about tokens to which all applies that they say', async () => {
    const revocations = new Revocations(records, clock)
    await revoke(revocations, { user: 'ann', document: a })
    expect(revocations.limit('editor', token(), a)).toBe(null)
    expect(revocations.limit('editor', token(), b)).toBe('editor')
    expect(revocations.limit('editor', token({ userId: 'bo' }), a)).toBe('editor')
    expect(revocations.limit('editor', token({ issuedAt: now + 1 }), a)).toBe('editor')
    // In every document is in that one, too; in some document is not.
    expect(revocations.limit('editor', token(), null)).toBe(null)
    expect(revocations.limitAnywhere('editor', token())).toBe('editor')
  })

  it('leave the least that any of them leaves', async () => {
    const revocations = new Revocations(records, clock)
    await revoke(revocations, { user: 'ann' }, 'viewer')
    expect(revocations.limit('owner', token(), a)).toBe('viewer')
    await revoke(revocations, { token: 'one' })
    expect(revocations.limit('owner', token(), a)).toBe(null)
    expect(revocations.limit('owner', token({ tokenId: 'two' }), a)).toBe('viewer')
  })

  it('of a user are of the tokens that this user made under any name, unless they say otherwise', async () => {
    const revocations = new Revocations(records, clock)
    const made = token({ userId: 'bo', makers: [madeUserId('ann', 'bot'), 'host'] })
    await revoke(revocations, { user: 'ann', isOfMade: false })
    expect(revocations.limit('owner', made, a)).toBe('owner')
    expect(revocations.limit('owner', token({ userId: madeUserId('ann', 'bot') }), a)).toBe('owner')
    expect(revocations.limit('owner', token(), a)).toBe(null)
    await revoke(revocations, { user: 'ann', document: b })
    expect([revocations.limit('owner', made, a), revocations.limit('owner', made, b)]).toEqual(['owner', null])
    await revoke(revocations, { user: 'host' }, 'viewer')
    expect(revocations.limitAnywhere('owner', made)).toBe('viewer')
  })

  it('of a user are of all for whom that one made tokens, and who got theirs from these', async () => {
    const revocations = new Revocations(records, clock)
    const made = madeUserId('ann', 'bot')
    await revoke(revocations, { user: 'ann' }, 'viewer')
    expect(revocations.limit('owner', token({ userId: made }), a)).toBe('viewer')
    expect(revocations.limitAnywhere('owner', token({ userId: madeUserId(made, 'x:y') }))).toBe('viewer')
    expect(revocations.limit('owner', token({ userId: madeUserId('bo', 'ann') }), a)).toBe('owner')
    expect(revocations.limit('owner', token({ userId: 'made:%:x' }), a)).toBe('owner')
    await revoke(revocations, { user: made })
    expect(revocations.limit('owner', token({ userId: made }), a)).toBe(null)
    expect(revocations.limit('owner', token(), a)).toBe('viewer')
  })

  it('of owners of some documents leave the host room, whatever they call themselves', async () => {
    const revocations = new Revocations(records, clock)
    const all = { user: 'x', isOfMade: true, link: null, token: null, notBefore: now }
    const add = (by: string, document: string, isHost: boolean) =>
      revocations.add({ ...all, document: document as DocumentId }, null, by, noLinks, isHost)
    for (let i = 0; i < 1000; i++) expect(await add('eve', `eve/${i}`, false)).not.toBe(null)
    expect(await add('eve', 'eve/more', false)).toBe(null)
    expect(await add(madeUserId('eve', 'mask'), 'eve/more', false)).toBe(null)
    expect(await add('ann', 'a', false)).not.toBe(null)
    expect(await add('eve', 'a', true)).not.toBe(null)
  })

  it('are never made less by a later one', async () => {
    const revocations = new Revocations(records, clock)
    await revoke(revocations, { user: 'ann' })
    const old = token()
    now += HOUR_MS
    await revoke(revocations, { user: 'ann' }, 'viewer')
    expect(revocations.limit('editor', old, a)).toBe(null)
    expect(revocations.limit('editor', token({ issuedAt: now - 1 }), a)).toBe('viewer')
  })

  it('are the same when they are read again', async () => {
    await revoke(new Revocations(records, clock), { user: 'ann', document: a }, 'viewer')
    const again = new Revocations(records, clock)
    expect(again.limit('editor', token(), a)).toBe('viewer')
    expect(again.list()).toMatchObject([{ user: 'ann', document: a, role: 'viewer', by: 'host', at: now }])
  })

  it('go when no token can be that old: after 24 hours, and not before', async () => {
    const revocations = new Revocations(records, clock)
    await revoke(revocations, { user: 'ann' })
    now += 24 * HOUR_MS
    await revoke(revocations, { user: 'bo' })
    expect(revocations.list()).toHaveLength(2)
    now += 60_000
    await revoke(revocations, { user: 'cy' })
    expect(revocations.list().map(({ user }) => user)).toEqual(['bo', 'cy'])
    expect(records.values.size).toBe(2)
  })

  it('of a link’s guest stay as long as there is the link', async () => {
    const revocations = new Revocations(records, clock)
    await revoke(revocations, { user: guestId('kept', 'x') })
    await revoke(revocations, { user: guestId('gone', 'x') })
    now += 48 * HOUR_MS
    const all = { user: 'z', isOfMade: true, link: null, token: null, document: null, notBefore: now }
    await revocations.add(all, null, null, id => id === 'kept')
    expect(revocations.list().map(({ user }) => user)).toEqual([guestId('kept', 'x'), 'z'])
  })
})
