import { type AwarenessEntry, decodeAwareness, decodeMessage, encodeAwarenessEntries, NULL_STATE } from '@weft/protocol'
import { expect, it } from 'vitest'
import { AWARENESS_TIMEOUT_MS, AwarenessTable, BadAwarenessError } from './AwarenessTable.ts'
import type { Member } from './Member.ts'

const LIMITS = {
  maxAwarenessBytes: 4096,
  maxAwarenessLevels: 16,
  awarenessPerSecond: 20,
  maxAwarenessMessageBytes: 64 * 1024,
}

// The table reads and writes these fields only.
const newSession = (table: AwarenessTable, user: Member['user'] = null) =>
  ({ clientID: null, hasSentAwareness: false, cameAt: table.nextTick(), user }) as unknown as Member
const json = (state: unknown) => new TextEncoder().encode(JSON.stringify(state))
const say = (...entries: [clientID: number, clock: number, state: unknown][]) =>
  encodeAwarenessEntries(
    entries.map(([clientID, clock, state]): AwarenessEntry => ({ clientID, clock, json: json(state) })),
  )

/** The entries of awareness frames, as `[clientID, clock, state]`. */
function read(frames: readonly Buffer[] | undefined): [number, number, unknown][] {
  return (frames ?? []).flatMap(frame => {
    const message = decodeMessage(frame.subarray(frame[1] === 127 ? 10 : frame[1] === 126 ? 4 : 2))
    if (message.type !== 'awareness') throw new Error(`a frame of type ${message.type}`)
    return decodeAwareness(message.payload).map((entry): [number, number, unknown] => [
      entry.clientID,
      entry.clock,
      JSON.parse(new TextDecoder().decode(entry.json)),
    ])
  })
}
const changes = (table: AwarenessTable) => read(table.takeChanges(0).frames)

it('passes on what a session says of the one client it introduced', () => {
  const table = new AwarenessTable(LIMITS)
  const ann = newSession(table)
  table.receive(ann, say([1, 1, { name: 'Ann' }]), 0)
  expect(changes(table)).toEqual([[1, 1, { name: 'Ann' }]])
  table.receive(ann, say([1, 2, { name: 'Anne' }], [2, 1, { name: 'Bo' }]), 0)
  expect(changes(table)).toEqual([[1, 2, { name: 'Anne' }]])
  expect(table.hasChanges).toBe(false)
})

it('says whose a state is by the token of its session, whatever the client says; the rest stays', () => {
  const table = new AwarenessTable(LIMITS)
  const ann = newSession(table, { id: 'ann', name: 'Ann' })
  const stamped = { id: 'ann', name: 'Ann', color: '#0f766e' }
  table.receive(ann, say([1, 1, { user: { id: 'bo', name: 'Bo', color: '#0f766e' }, cursor: 3 }]), 0)
  expect(changes(table)).toEqual([[1, 1, { user: stamped, cursor: 3 }]])
  const others: [unknown, unknown][] = [
    [{}, { id: 'ann', name: 'Ann' }],
    [{ user: 'Bo' }, { id: 'ann', name: 'Ann' }],
    [{ user: ['Bo'] }, { id: 'ann', name: 'Ann' }],
    [{ user: null }, { id: 'ann', name: 'Ann' }],
    [{ user: { name: ['Bo'], bot: true } }, { id: 'ann', name: 'Ann', bot: true }],
  ]
  for (const [index, [state, user]] of others.entries()) {
    table.receive(ann, say([1, 2 + index, state]), 0)
    expect(changes(table)).toEqual([[1, 2 + index, { user }]])
  }
  // Of two, the last one would count for who reads it.
  const twice = new TextEncoder().encode('{"user":{"name":"Ann"},"user":{"name":"Bo"},"__proto__":{"user":1}}')
  table.receive(ann, encodeAwarenessEntries([{ clientID: 1, clock: 9, json: twice }]), 0)
  expect(JSON.stringify(changes(table))).toBe('[[1,9,{"user":{"name":"Ann","id":"ann"},"__proto__":{"user":1}}]]')
  table.receive(ann, say([1, 10, null]), 0)
  expect(changes(table)).toEqual([[1, 10, null]])
  const long = newSession(table, { id: 'cy', name: '👩'.repeat(300) })
  table.receive(long, say([2, 1, {}]), 0)
  expect(changes(table)).toEqual([[2, 1, { user: { id: 'cy', name: '👩'.repeat(200) } }]])
  const nameless = newSession(table, { id: 'di', name: null })
  table.receive(nameless, say([3, 1, { user: { name: 'Boss' } }]), 0)
  expect(changes(table)).toEqual([[3, 1, { user: { name: 'di', id: 'di' } }]])
})

it('ignores echoes and whoever speaks for another', () => {
  const table = new AwarenessTable(LIMITS)
  const [ann, bo] = [newSession(table), newSession(table)]
  table.receive(ann, say([1, 5, { name: 'Ann' }]), 0)
  table.receive(bo, say([2, 1, {}]), 0)
  table.takeChanges(0)
  table.receive(bo, say([1, 5, { name: 'Ann' }]), 0)
  table.receive(bo, say([1, 6, { name: 'not Ann' }]), 0)
  table.receive(bo, say([1, 6, null]), 0)
  expect(table.hasChanges).toBe(false)
})

it('binds nobody by an echo of several states, or by an old one', () => {
  const table = new AwarenessTable(LIMITS)
  const [ann, reader] = [newSession(table), newSession(table)]
  table.receive(ann, say([1, 1, {}]), 0)
  expect(table.receive(reader, say([1, 1, {}], [7, 1, {}]), 0)).toBeNull()
  expect(reader.clientID).toBeNull()
})

it('removes the state of who leaves, with its own clock', () => {
  const table = new AwarenessTable(LIMITS)
  const ann = newSession(table)
  table.receive(ann, say([1, 3, {}]), 0)
  table.takeChanges(0)
  table.leave(ann)
  expect(changes(table)).toEqual([[1, 3, null]])
  expect(table.encodeAll(newSession(table))).toEqual([])
})

it('[threat A1] tells who left since, to whom the news could not be written', () => {
  const table = new AwarenessTable(LIMITS)
  const [ann, bo] = [newSession(table), newSession(table)]
  table.receive(ann, say([1, 3, {}]), 0)
  table.receive(bo, say([2, 5, {}]), 0)
  table.leave(ann)
  const heardAt = table.nextTick()
  expect(table.encodeGone(heardAt)).toEqual([])
  table.leave(bo)
  expect(read(table.encodeGone(heardAt))).toEqual([[2, 5, null]])
})

it('makes a client that returns at the same clock heard, and takes the offset away in its own echo', () => {
  const table = new AwarenessTable(LIMITS)
  const before = newSession(table)
  table.receive(before, say([1, 3, {}]), 0)
  table.leave(before)
  table.takeChanges(0)
  const after = newSession(table)
  table.receive(after, say([1, 3, { name: 'Ann' }]), 0)
  const { frames, own } = table.takeChanges(0)
  expect(read(frames)).toEqual([[1, 4, { name: 'Ann' }]])
  expect(read(own.get(after))).toEqual([[1, 3, { name: 'Ann' }]])
  table.receive(after, say([1, 4, { name: 'Anne' }]), 0)
  expect(changes(table)).toEqual([[1, 5, { name: 'Anne' }]])
  expect(read(table.encodeAll(after))).toEqual([[1, 4, { name: 'Anne' }]])
})

it('does not take the echo of somebody who just left for his return', () => {
  const table = new AwarenessTable(LIMITS)
  const [ann, reader] = [newSession(table), newSession(table)]
  table.receive(ann, say([1, 3, {}]), 0)
  table.leave(ann)
  table.takeChanges(0)
  table.receive(reader, say([1, 3, {}]), 0)
  expect(reader.clientID).toBeNull()
  expect(table.hasChanges).toBe(false)
})

it('names the holder where a second session introduces a client that is here', () => {
  const table = new AwarenessTable(LIMITS)
  const [before, after] = [newSession(table), newSession(table)]
  table.receive(before, say([1, 3, {}]), 0)
  const contest = table.receive(after, say([1, 3, { name: 'Ann' }]), 0)
  expect(contest?.holder).toBe(before)
  table.leave(before)
  if (contest !== null) table.introduce(after, contest.entry, 0)
  expect(after.clientID).toBe(1)
  expect(changes(table)).toEqual([[1, 4, { name: 'Ann' }]])
})

it('lets a client withdraw its own state and come back', () => {
  const table = new AwarenessTable(LIMITS)
  const ann = newSession(table)
  table.receive(ann, say([1, 1, {}]), 0)
  table.receive(ann, say([1, 1, null]), 0)
  expect(changes(table)).toEqual([[1, 1, null]])
  table.receive(ann, say([1, 2, { name: 'Ann' }]), 0)
  expect(changes(table)).toEqual([[1, 2, { name: 'Ann' }]])
})

it('removes what is not renewed for 45 s', () => {
  const table = new AwarenessTable(LIMITS)
  const ann = newSession(table)
  table.receive(ann, say([1, 1, {}]), 0)
  table.takeChanges(0)
  table.expire(AWARENESS_TIMEOUT_MS)
  expect(table.hasChanges).toBe(false)
  table.expire(AWARENESS_TIMEOUT_MS + 1)
  expect(changes(table)).toEqual([[1, 1, null]])
})

it.each([
  ['over its size', json({ name: 'x'.repeat(4096) })],
  ['nested too deep', new TextEncoder().encode(`{"a":${'['.repeat(16)}${']'.repeat(16)}}`)],
  ['not JSON', new TextEncoder().encode('{"a":')],
  ['not UTF-8', Uint8Array.of(0x22, 0xff, 0x22)],
  ['no object', json('Ann')],
])('refuses a state that is %s', (_what, state) => {
  const table = new AwarenessTable(LIMITS)
  const payload = encodeAwarenessEntries([{ clientID: 1, clock: 1, json: state }])
  expect(() => table.receive(newSession(table), payload, 0)).toThrow(BadAwarenessError)
  expect(table.hasChanges).toBe(false)
})

it('counts no brackets inside of strings', () => {
  const table = new AwarenessTable(LIMITS)
  table.receive(newSession(table), say([1, 1, { name: `${'['.repeat(40)}\\"{` }]), 0)
  expect(table.hasChanges).toBe(true)
})

it('lets nobody hold a null state as its first', () => {
  const table = new AwarenessTable(LIMITS)
  const ann = newSession(table)
  table.receive(ann, encodeAwarenessEntries([{ clientID: 1, clock: 0, json: NULL_STATE }]), 0)
  expect(table.encodeAll(ann)).toEqual([])
})

it('passes on twenty states of a client in a second, and then the latest', () => {
  const table = new AwarenessTable(LIMITS)
  const [ann, bo] = [newSession(table), newSession(table)]
  table.receive(bo, say([2, 1, { n: 0 }]), 0)
  const heard: number[] = []
  for (let clock = 1; clock <= 100; clock++) {
    table.receive(ann, say([1, clock, { n: clock }]), clock)
    for (const [clientID, , state] of read(table.takeChanges(clock).frames)) {
      if (clientID === 1) heard.push((state as { n: number }).n)
    }
  }
  // Twenty at once, and one more each 50 ms.
  expect(heard).toEqual([...Array.from({ length: 20 }, (_, i) => i + 1), 52])
  expect(table.hasChanges).toBe(true)
  // Nobody else waits for that, and who leaves is gone at once.
  table.receive(bo, say([2, 2, { n: 1 }]), 110)
  expect(read(table.takeChanges(110).frames)).toEqual([
    [1, 100, { n: 100 }],
    [2, 2, { n: 1 }],
  ])
  table.receive(ann, say([1, 101, { n: 101 }]), 110)
  expect(read(table.takeChanges(110).frames)).toEqual([])
  table.leave(ann)
  expect(read(table.takeChanges(110).frames)).toEqual([[1, 101, null]])
})
