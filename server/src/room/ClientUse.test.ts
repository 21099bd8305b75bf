import { expect, it } from 'vitest'
import { ClientUse } from './ClientUse.ts'
import type { Member } from './Member.ts'

// It reads this field only.
const sessionOf = (userId: string) => ({ userId }) as unknown as Member

it('[threat U6] a client id is a user’s from an edit until the last session that sent one has left', () => {
  const use = new ClientUse(() => null)
  const [tab, otherTab] = [sessionOf('ann'), sessionOf('ann')]
  expect(use.isForeign('bo', 1, true)).toBe(false)
  use.use(tab, [1])
  use.use(otherTab, [1])
  expect([use.isForeign('ann', 1, false), use.isForeign('bo', 1, false)]).toEqual([false, true])
  use.leave(tab)
  expect(use.isForeign('bo', 1, false)).toBe(true)
  use.leave(otherTab)
  expect(use.isForeign('bo', 1, false)).toBe(false)
})

it('[threat U6] its introducer’s in awareness where nobody else has written under it', () => {
  const holders = new Map<number, Member>()
  const use = new ClientUse(clientID => holders.get(clientID) ?? null)
  const ann = sessionOf('ann')
  holders.set(1, ann)
  expect([use.isForeign('ann', 1, true), use.isForeign('bo', 1, true)]).toEqual([false, true])
  // Who introduces an id under which others have written makes it nobody's.
  expect(use.isForeign('bo', 1, false)).toBe(false)
  const bo = sessionOf('bo')
  use.use(bo, [1])
  use.leave(bo)
  expect(use.isForeign('bo', 1, false)).toBe(false)
  // Who comes back, and has not typed yet.
  use.use(ann, [2])
  use.leave(ann)
  holders.set(2, sessionOf('ann'))
  expect(use.isForeign('bo', 2, false)).toBe(true)
})

it('a history that is brought along makes its authors nobody’s', () => {
  const use = new ClientUse(() => null)
  const ann = sessionOf('ann')
  use.use(ann, [1, 2, 3, 4, 5])
  expect(use.isForeign('bo', 1, false)).toBe(false)
  for (let clientID = 0; clientID < 100; clientID++) use.use(ann, [clientID])
  expect([use.isForeign('bo', 31, false), use.isForeign('bo', 32, false)]).toEqual([true, false])
})
