import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { MalformedUpdate } from './MalformedUpdate.ts'
import { covers, encodeStateVector, readStateVector, stateVectorKey } from './stateVector.ts'

const LIMITS = { maxClients: 3 }

describe('state vectors', () => {
  it('are read and written as Yjs does', () => {
    const stateVector = new Map([
      [5, 9],
      [2 ** 32 - 1, 2 ** 40 - 1],
      [300, 1],
    ])
    const bytes = encodeStateVector(stateVector)
    expect(bytes).toEqual(Y.encodeStateVector(stateVector as never))
    expect(readStateVector(bytes, LIMITS)).toEqual(stateVector)
    expect(readStateVector(Y.encodeStateVector(new Y.Doc()), LIMITS)).toEqual(new Map())
  })

  it('leave out clients that stand at 0', () => {
    expect(readStateVector(Uint8Array.of(2, 5, 0, 6, 1), LIMITS)).toEqual(new Map([[6, 1]]))
    expect(encodeStateVector(new Map([[5, 0]]))).toEqual(Uint8Array.of(0))
  })

  it('are refused unless they decode completely and within bounds', () => {
    const refused: [number[], RegExp][] = [
      [[], /too early/],
      [[1, 5], /announced/],
      [[1, 5, 0x80], /too early/],
      [[0, 0], /1 bytes follow/],
      [[0xff, 0xff, 0xff, 0x7f], /announced/],
      [[4, 1, 1, 2, 1, 3, 1, 4, 1], /4 clients are over 3/],
      [[2, 5, 1, 5, 2], /two clocks of client 5/],
      [[2, 5, 0, 5, 2], /two clocks of client 5/],
      [[1, 0x80, 0x80, 0x80, 0x80, 0x10, 1], /client id 4294967296/],
      [[1, 5, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20], /clock 1099511627776/],
    ]
    for (const [bytes, reason] of refused) {
      const read = () => readStateVector(Uint8Array.from(bytes), LIMITS)
      expect(read).toThrow(MalformedUpdate)
      expect(read).toThrow(reason)
    }
  })

  it('cover another when no client stands below', () => {
    const two = new Map([
      [5, 2],
      [6, 1],
    ])
    expect(covers(two, new Map([[5, 2]]))).toBe(true)
    expect(covers(two, new Map([[5, 3]]))).toBe(false)
    expect(covers(two, new Map([[7, 1]]))).toBe(false)
    expect(covers(two, new Map([[7, 0]]))).toBe(true)
    expect(covers(new Map(), new Map())).toBe(true)
  })

  it('have a key that only equal ones share', () => {
    const key = stateVectorKey(
      new Map([
        [5, 2],
        [6, 1],
      ]),
    )
    expect(
      stateVectorKey(
        new Map([
          [6, 1],
          [7, 0],
          [5, 2],
        ]),
      ),
    ).toBe(key)
    expect(stateVectorKey(new Map([[5, 2]]))).not.toBe(key)
  })
})
