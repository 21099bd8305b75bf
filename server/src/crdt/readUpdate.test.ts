import * as encoding from 'lib0/encoding'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { MalformedUpdate, readUpdate, type UpdateContents } from './readUpdate.ts'
import { DEFAULT_UPDATE_LIMITS, type UpdateLimits } from './UpdateLimits.ts'

/** Numbers become `varUint`, strings `varString`, arrays of numbers bytes. */
type Part = number | string | readonly number[]

function bytes(...parts: Part[]): Uint8Array {
  return encoding.encode(encoder => {
    for (const part of parts) {
      if (typeof part === 'number') encoding.writeVarUint(encoder, part)
      else if (typeof part === 'string') encoding.writeVarString(encoder, part)
      else encoding.writeUint8Array(encoder, Uint8Array.from(part))
    }
  })
}

const NO_DELETES = 0
const GC = 0
const SKIP = 10
const DELETED = 1
const JSON_VALUES = 2
const BINARY = 3
const STRING = 4
const EMBED = 5
const FORMAT = 6
const TYPE = 7
const ANY = 8
const SUBDOCUMENT = 9
const KEY = 0x20
const RIGHT = 0x40
const LEFT = 0x80
const ROOT = 1
const ID = 0

/** An update of one block: client 5 from `clock`. */
function block(clock: number, ...structs: Part[][]): Uint8Array {
  return bytes(1, structs.length, 5, clock, ...structs.flat(), NO_DELETES)
}

/** A struct in root `t`. */
function inRoot(content: number, ...parts: Part[]): Part[] {
  return [[content], ROOT, 't', ...parts]
}

/** A struct in the operation (client, clock). */
function inType(clientID: number, clock: number, content: number, ...parts: Part[]): Part[] {
  return [[content], ID, clientID, clock, ...parts]
}

/** A struct after the operation (client, clock). */
function after(clientID: number, clock: number, content: number, ...parts: Part[]): Part[] {
  return [[content | LEFT], clientID, clock, ...parts]
}

function read(update: Uint8Array, limits: Partial<UpdateLimits> = {}): UpdateContents {
  return readUpdate(update, { ...DEFAULT_UPDATE_LIMITS, ...limits })
}

/** What is accepted, Yjs must take too. */
function accept(update: Uint8Array, limits: Partial<UpdateLimits> = {}): UpdateContents {
  const contents = read(update, limits)
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  Y.decodeUpdate(update)
  const isClosed = [...contents.requires].every(([, clock]) => clock === 0)
  if (isClosed) expect([doc.store.pendingStructs, doc.store.pendingDs]).toEqual([null, null])
  return contents
}

function refuse(update: Uint8Array, reason: RegExp, limits: Partial<UpdateLimits> = {}): void {
  let thrown: unknown
  try {
    read(update, limits)
  } catch (error) {
    thrown = error
  }
  expect(thrown).toBeInstanceOf(MalformedUpdate)
  expect((thrown as MalformedUpdate).reason).toMatch(reason)
}

const HELLO = block(0, inRoot(STRING, 'hello'))

describe('what an update contains', () => {
  it('tells what it brings, by client', () => {
    const contents = accept(HELLO)
    expect(contents.structs).toEqual(new Map([[5, { start: 0, end: 5 }]]))
    expect(contents.requires).toEqual(new Map())
    expect(contents.deletes).toEqual(new Map())
    expect(contents.structCount).toBe(1)
    expect(contents.rootNames).toEqual(['t'])
  })

  it('counts characters as Yjs does, in UTF-16 code units', () => {
    expect(accept(block(0, inRoot(STRING, 'aé€🦊\ufeff'))).structs.get(5)?.end).toBe(6)
  })

  it('names each root once', () => {
    const update = block(0, inRoot(STRING, 'a'), [[STRING], ROOT, 'u', 'b'], inRoot(STRING, 'c'))
    expect(accept(update).rootNames).toEqual(['t', 'u'])
  })

  it('reads an empty update', () => {
    expect(accept(Uint8Array.of(0, 0))).toEqual({
      structs: new Map(),
      deletes: new Map(),
      requires: new Map(),
      placement: { keyed: new Map(), inherited: [], wide: [], cuts: [] },
      structCount: 0,
      rootNames: [],
    })
  })

  it('is the same after a structured clone', () => {
    const contents = read(bytes(1, 1, 5, 3, ...after(6, 1, STRING, 'xy'), 1, 7, 1, 2, 3))
    expect(structuredClone(contents)).toEqual(contents)
  })

  it('sorts and merges delete ranges', () => {
    const contents = read(bytes(0, 1, 7, 4, 10, 2, 0, 3, 3, 1, 11, 5))
    expect(contents.deletes).toEqual(new Map([[7, [0, 4, 10, 16]]]))
    expect(contents.requires).toEqual(new Map([[7, 16]]))
  })

  it('reads a part of a larger buffer', () => {
    const buffer = new Uint8Array(HELLO.length + 20).fill(0xff)
    buffer.set(HELLO, 10)
    expect(read(buffer.subarray(10, 10 + HELLO.length))).toEqual(read(HELLO))
  })
})

describe('rule 1: it decodes completely', () => {
  it('refuses every shorter part of an update, and a longer one', () => {
    for (let length = 0; length < HELLO.length; length++) {
      expect(() => read(HELLO.subarray(0, length)), `${length} bytes`).toThrow(MalformedUpdate)
    }
    refuse(bytes([...HELLO], [0]), /1 bytes follow/)
  })

  it('takes every kind of content and refuses others', () => {
    const contents: Part[][] = [
      inRoot(DELETED, 3),
      inRoot(JSON_VALUES, 2, '{"a":[1]}', 'undefined'),
      inRoot(BINARY, 2, [1, 2]),
      inRoot(STRING, 'x'),
      inRoot(EMBED, '{"image":1}'),
      inRoot(FORMAT, 'bold', 'true'),
      inRoot(TYPE, 0),
      inRoot(ANY, 1, [119], 'text'),
      inRoot(SUBDOCUMENT, 'guid', [118], 0),
      [[GC], 4],
    ]
    expect(accept(block(0, ...contents)).structs.get(5)?.end).toBe(16)
    for (const kind of [11, 15, 31]) refuse(block(0, inRoot(kind, 1)), /unknown kind of content/)
    // A skip with other bits is a skip for one of Yjs' decoders and unknown content for the other.
    refuse(block(0, [[SKIP | LEFT], 6, 0, 1]), /unknown kind of content 10/)
    refuse(block(0, [[GC | LEFT], 6, 0, 1]), /unknown kind of content 0/)
  })

  it('takes every kind of type and refuses others', () => {
    const types: Part[][] = [0, 1, 2, 4, 6].map(type => inRoot(TYPE, type))
    accept(block(0, ...types, inRoot(TYPE, 3, 'paragraph'), inRoot(TYPE, 5, 'hook')))
    refuse(block(0, inRoot(TYPE, 7)), /unknown kind of type 7/)
  })

  it('takes a parent that is a root or an operation', () => {
    accept(block(0, inRoot(TYPE, 1), inType(5, 0, TYPE, 2)))
    refuse(block(0, [[STRING], 2, 't', 'x']), /unknown kind of parent 2/)
  })

  it('refuses strings that are not UTF-8, as a strict decoder does', () => {
    for (const text of [
      '',
      '\u007f',
      '\u0080',
      '\u07ff',
      '\u0800',
      '\ud7ff',
      '\ue000',
      '\uffff',
      '\u{10000}',
      '\u{10ffff}',
    ]) {
      accept(block(0, inRoot(STRING, `a${text}`)))
    }
    const wrong = ['80', 'bf', 'c0 80', 'c1 bf', 'c2', 'c2 20', 'e0 9f bf', 'e1 80', 'e1 80 20', 'ed a0 80', 'ed bf bf']
    for (const hex of [...wrong, 'f0 8f bf bf', 'f0 90 80', 'f4 90 80 80', 'f5 80 80 80', 'ff', 'f1 80 80 20']) {
      const text = hex.split(' ').map(byte => Number.parseInt(byte, 16))
      refuse(block(0, inRoot(STRING, text.length, text)), /UTF-8/)
      refuse(block(0, inRoot(STRING, text.length + 1, [0x61, ...text])), /UTF-8/)
      refuse(block(0, [[STRING | KEY], ROOT, 't', text.length, text, 'x']), /UTF-8/)
      refuse(block(0, [[STRING], ROOT, text.length, text, 'x']), /UTF-8/)
    }
  })

  it('refuses JSON that does not parse', () => {
    for (const json of ['1', 'null', ' {"a" : [true, -0.5e+3, "\\ud800\\n"]} ', '"🦊"']) {
      accept(block(0, inRoot(EMBED, json), inRoot(FORMAT, 'k', json), inRoot(JSON_VALUES, 1, json)))
    }
    for (const json of [
      '',
      'undefined',
      '{',
      '[1,]',
      '{a:1}',
      "'a'",
      '01',
      '1.',
      '+1',
      '"\u0001"',
      'nul',
      '1 2',
      '\ufeff1',
    ]) {
      refuse(block(0, inRoot(EMBED, json)), /JSON/)
      refuse(block(0, inRoot(FORMAT, 'k', json)), /JSON/)
      if (json !== 'undefined') refuse(block(0, inRoot(JSON_VALUES, 1, json)), /JSON/)
    }
  })

  it('refuses values that Yjs can not read', () => {
    const values: Part[][] = [
      [[127]],
      [[126]],
      [[125], [0x81, 0x01]],
      [[124], [0, 0, 0, 0]],
      [[123], [0, 0, 0, 0, 0, 0, 0, 0]],
    ]
    values.push([[122], [0, 0, 0, 0, 0, 0, 0, 0]], [[121]], [[120]], [[119], 'x'], [[118], 1, 'k', [127]])
    values.push([[117], 2, [126], [116], 1, [9]], [[116], 0])
    for (const value of values) accept(block(0, inRoot(ANY, 1, ...value)))
    refuse(block(0, inRoot(ANY, 1, [115])), /unknown kind of value 115/)
    refuse(block(0, inRoot(ANY, 1, [128])), /unknown kind of value 128/)
    refuse(block(0, inRoot(ANY, 1, [123], [0, 0, 0, 0, 0, 0])), /8 bytes announced with/)
    refuse(block(0, inRoot(ANY, 1, [125], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])), /2\^53/)
  })

  it('refuses a key that would set a prototype', () => {
    refuse(block(0, inRoot(ANY, 1, [118], 1, '__proto__', [116], 0)), /__proto__/)
    accept(block(0, [[ANY | KEY], ROOT, 't', '__proto__', 1, [126]], inRoot(EMBED, '{"__proto__":1}')))
  })

  it('takes the options of a subdocument that Yjs writes, and no others', () => {
    accept(block(0, inRoot(SUBDOCUMENT, 'guid', [118], 3, 'gc', [121], 'autoLoad', [120], 'meta', [117], 1, [127])))
    refuse(block(0, inRoot(SUBDOCUMENT, 'guid', [126])), /not an object/)
    refuse(block(0, inRoot(SUBDOCUMENT, 'guid', [119], 'gc')), /not an object/)
    refuse(block(0, inRoot(SUBDOCUMENT, 'guid', [118], 1, 'gcFilter', [126])), /unknown option/)
    refuse(block(0, inRoot(SUBDOCUMENT, 'guid', [118], 1, 'guid', [119], 'other')), /unknown option/)
    refuse(block(0, inRoot(SUBDOCUMENT, 'guid', [118], 1, 'gc', [127])), /not a boolean/)
  })

  it('allocates nothing from announced counts', () => {
    const huge = 2 ** 40
    refuse(bytes(huge), /1099511627776 entries announced/)
    refuse(bytes(1, huge, 5, 0), /1099511627776 entries announced/)
    refuse(block(0, inRoot(ANY, huge, [126])), /1099511627776 entries announced/)
    refuse(block(0, inRoot(JSON_VALUES, huge, '1')), /1099511627776 entries announced/)
    refuse(block(0, inRoot(ANY, 1, [118], huge)), /1099511627776 entries announced/)
    refuse(block(0, inRoot(ANY, 1, [117], huge)), /1099511627776 entries announced/)
    refuse(block(0, inRoot(ANY, 1, [116], huge)), /1099511627776 bytes announced/)
    refuse(block(0, inRoot(BINARY, huge)), /1099511627776 bytes announced/)
    refuse(block(0, inRoot(STRING, huge)), /1099511627776 bytes announced/)
    refuse(bytes(0, huge), /1099511627776 entries announced/)
    refuse(bytes(0, 1, 5, huge), /1099511627776 entries announced/)
  })
})

describe('rule 2: numbers', () => {
  it('refuses numbers over 2^53 - 1 and numbers that do not end', () => {
    accept(bytes([0x80, 0x00], 0))
    refuse(Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0]), /2\^53/)
    refuse(Uint8Array.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0]), /2\^53/)
    refuse(Uint8Array.from([0x80]), /too early/)
  })

  it('refuses client ids from 2^32', () => {
    accept(bytes(1, 1, 2 ** 32 - 1, 0, ...inRoot(STRING, 'x'), NO_DELETES))
    refuse(bytes(1, 1, 2 ** 32, 0, ...inRoot(STRING, 'x'), NO_DELETES), /client id 4294967296/)
    refuse(block(0, after(2 ** 32, 0, STRING, 'x')), /client id 4294967296/)
    refuse(bytes(0, 1, 2 ** 32, 1, 0, 1), /client id 4294967296/)
  })

  it('refuses two blocks of a client, and blocks that do not fall', () => {
    const x = inRoot(STRING, 'x')
    accept(bytes(2, 1, 6, 0, ...x, 1, 5, 0, ...x, NO_DELETES))
    refuse(bytes(2, 1, 5, 0, ...x, 1, 6, 0, ...x, NO_DELETES), /client 6 after client 5/)
    refuse(bytes(2, 1, 5, 0, ...x, 1, 5, 1, ...x, NO_DELETES), /client 5 after client 5/)
    refuse(bytes(0, 2, 7, 1, 0, 1, 7, 1, 4, 1), /two delete sets of client 7/)
    expect(accept(bytes(0, 2, 7, 0, 8, 0)).deletes).toEqual(new Map())
  })

  it('refuses empty blocks, structs and deletions', () => {
    refuse(bytes(1, 0, 5, 0, NO_DELETES, 0, 0), /a client without structs/)
    for (const empty of [
      inRoot(STRING, ''),
      inRoot(DELETED, 0),
      inRoot(ANY, 0),
      inRoot(JSON_VALUES, 0),
      [[GC], 0],
      [[SKIP], 0],
    ]) {
      refuse(block(0, empty), /a length of 0/)
    }
    refuse(bytes(0, 1, 7, 1, 3, 0), /a length of 0/)
  })

  it('refuses clocks from 2^40, and what ends there', () => {
    const last = 2 ** 40 - 1
    expect(read(bytes(1, 1, 5, last - 1, [GC], 1, NO_DELETES)).structs.get(5)?.end).toBe(last)
    refuse(bytes(1, 1, 5, last, [GC], 1, NO_DELETES), /end at 2\^40/)
    refuse(bytes(1, 1, 5, 2 ** 40, [GC], 1, NO_DELETES), /clock 1099511627776/)
    refuse(bytes(1, 1, 5, 0, [GC], 2 ** 40, NO_DELETES), /end at 2\^40/)
    refuse(bytes(1, 1, 5, 5, [SKIP], last, NO_DELETES), /end at 2\^40/)
    refuse(bytes(0, 1, 7, 1, last, 1), /end at 2\^40/)
    refuse(block(0, after(6, 2 ** 40, STRING, 'x')), /clock 1099511627776/)
  })
})

describe('rule 3: order', () => {
  it('refuses references forwards in the same client', () => {
    const x = inRoot(STRING, 'x')
    accept(block(0, x, after(5, 0, STRING, 'y'), [[STRING | RIGHT], 5, 1, 'z']))
    refuse(block(0, x, after(5, 1, STRING, 'y')), /operation 1 refers to 1/)
    refuse(block(0, x, [[STRING | RIGHT], 5, 7, 'z']), /operation 1 refers to 7/)
    refuse(block(0, inType(5, 0, STRING, 'z')), /operation 0 refers to 0/)
  })

  it('takes the ends of skips for gaps', () => {
    const contents = read(block(2, inRoot(STRING, 'x'), [[SKIP], 5], inRoot(STRING, 'y')))
    expect(contents.structs).toEqual(new Map([[5, { start: 2, end: 9 }]]))
    expect(contents.requires).toEqual(new Map([[5, 8]]))
  })

  it('brings nothing by skips alone', () => {
    const contents = read(block(2, [[SKIP], 5]))
    expect(contents.structs).toEqual(new Map())
    expect(contents.requires).toEqual(new Map([[5, 7]]))
    expect(read(block(0, inRoot(STRING, 'x'), [[SKIP], 5])).structs).toEqual(new Map([[5, { start: 0, end: 1 }]]))
  })

  it('refuses circles between clients', () => {
    const x = inRoot(STRING, 'x')
    // 6: x, then after 5's first; 5: x, then after 6's second.
    accept(bytes(2, 2, 6, 0, ...x, ...after(5, 0, STRING, 'y'), 2, 5, 0, ...x, ...after(6, 1, STRING, 'z'), NO_DELETES))
    refuse(bytes(2, 1, 6, 0, ...after(5, 0, STRING, 'y'), 1, 5, 0, ...after(6, 0, STRING, 'z'), NO_DELETES), /circle/)
    const three = bytes(3, 1, 7, 0, ...after(6, 0, STRING, 'a'), 1, 6, 0, ...after(5, 0, STRING, 'b'), 1, 5, 0)
    refuse(bytes([...three], ...inType(7, 0, STRING, 'c'), NO_DELETES), /circle/)
    accept(bytes([...three], ...x, NO_DELETES))
  })
})

describe('rule 4: bounds', () => {
  it('refuses more structs than allowed', () => {
    const update = block(0, [[GC], 1], [[GC], 1], [[GC], 1])
    accept(update, { maxStructs: 3 })
    refuse(update, /3 structs are over 2/, { maxStructs: 2 })
    refuse(bytes(1, 2 ** 30, 5, 0), /entries announced/)
  })

  it('refuses more clients than allowed', () => {
    const update = bytes(2, 1, 6, 0, [GC], 1, 1, 5, 0, [GC], 1, 2, 6, 1, 0, 1, 5, 1, 0, 1)
    accept(update, { maxClients: 2 })
    refuse(update, /2 clients are over 1/, { maxClients: 1 })
    refuse(bytes(0, 2, 6, 1, 0, 1, 5, 1, 0, 1), /2 clients are over 1/, { maxClients: 1 })
  })

  it('refuses more root names than allowed, and others than allowed', () => {
    const names = Array.from({ length: 17 }, (_, index): Part[] => [[STRING], ROOT, `root${index}`, 'x'])
    accept(block(0, ...names.slice(0, 16)))
    refuse(block(0, ...names), /more than 16 root names/)
    accept(HELLO, { allowedRootNames: new Set(['t', 'u']) })
    refuse(HELLO, /a root name of 1 characters/, { allowedRootNames: new Set(['u']) })
  })

  it('refuses values nested deeper than allowed', () => {
    const json = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
    accept(block(0, inRoot(EMBED, json(32)), inRoot(FORMAT, 'k', json(32)), inRoot(JSON_VALUES, 1, json(32))))
    refuse(block(0, inRoot(EMBED, json(33))), /nests too deep/)
    refuse(block(0, inRoot(JSON_VALUES, 1, `${'{"a":'.repeat(33)}1${'}'.repeat(33)}`)), /nests too deep/)
    const any = (depth: number): Part[] => [...Array.from({ length: depth }, (): Part[] => [[117], 1]).flat(), [126]]
    accept(block(0, inRoot(ANY, 1, ...any(32))))
    refuse(block(0, inRoot(ANY, 1, ...any(33))), /nests too deep/)
    refuse(block(0, inRoot(ANY, 1, [118], 1, 'k', ...any(32))), /nests too deep/)
    refuse(block(0, inRoot(EMBED, json(1_000_000))), /nests too deep/)
  })

  it('refuses types nested deeper than allowed', () => {
    const nested = (depth: number): Part[][] =>
      Array.from({ length: depth }, (_, index) => (index === 0 ? inRoot(TYPE, 0) : inType(5, index - 1, TYPE, 0)))
    accept(block(0, ...nested(100)))
    refuse(block(0, ...nested(101)), /nested more than 100/)
    accept(block(0, ...nested(100), inType(5, 99, STRING, 'x')))
    // 150 types beside each other are not deep; a neighbour is as deep as its origin.
    accept(block(0, ...Array.from({ length: 150 }, () => inRoot(TYPE, 0))))
    refuse(block(0, ...nested(100), after(5, 99, TYPE, 0), inType(5, 100, TYPE, 0)), /nested more than 100/)
    refuse(block(0, ...nested(100), [[TYPE | RIGHT], 5, 99, 0], inType(5, 100, TYPE, 0)), /nested more than 100/)
  })
})

describe('what it requires', () => {
  it('requires what comes before its first clock', () => {
    expect(read(block(7, inRoot(STRING, 'x'))).requires).toEqual(new Map([[5, 7]]))
  })

  it('requires what it refers to of other clients and does not bring', () => {
    const update = block(0, after(6, 3, STRING, 'x'), [[STRING | RIGHT], 7, 0, 'y'], inType(8, 9, STRING, 'z'))
    expect(read(update).requires).toEqual(
      new Map([
        [6, 4],
        [7, 1],
        [8, 10],
      ]),
    )
  })

  it('requires no more than the first clock of a client that it brings', () => {
    const update = bytes(2, 1, 6, 4, ...inRoot(STRING, 'abc'), 1, 5, 0, ...after(6, 6, STRING, 'x'), NO_DELETES)
    expect(read(update).requires).toEqual(new Map([[6, 4]]))
    const beyond = bytes(2, 1, 6, 4, ...inRoot(STRING, 'abc'), 1, 5, 0, ...after(6, 7, STRING, 'x'), NO_DELETES)
    expect(read(beyond).requires).toEqual(new Map([[6, 8]]))
  })

  it('requires what it deletes and does not bring', () => {
    const update = bytes(1, 1, 5, 2, ...inRoot(STRING, 'abc'), 2, 5, 2, 0, 1, 4, 1, 6, 1, 3, 2)
    expect(read(update).requires).toEqual(
      new Map([
        [5, 2],
        [6, 5],
      ]),
    )
    expect(read(bytes(1, 1, 5, 2, ...inRoot(STRING, 'abc'), 1, 5, 1, 4, 2)).requires).toEqual(new Map([[5, 6]]))
  })
})
