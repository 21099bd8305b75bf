import * as encoding from 'lib0/encoding'
import type { Random } from '../crdt/Random.ts'

/**
 * A message taken apart as its grammar has it, so that a test can change a part and put it together again, valid or not:
 *
 * ```
 * uint   = varUint(value)
 * raw    = bytes
 * buffer = varUint(length of fields + lie) fields
 * list   = varUint(number of items + lie) item*
 * ```
 */
export type Field =
  | { readonly kind: 'uint'; value: number }
  | { readonly kind: 'raw'; bytes: Uint8Array }
  | { readonly kind: 'buffer'; readonly fields: Field[]; lie: number }
  | { readonly kind: 'list'; readonly items: Field[][]; lie: number }

export const uint = (value: number): Field => ({ kind: 'uint', value })
export const raw = (bytes: Uint8Array): Field => ({ kind: 'raw', bytes })
export const buffer = (...fields: Field[]): Field => ({ kind: 'buffer', fields, lie: 0 })
export const list = (...items: Field[][]): Field => ({ kind: 'list', items, lie: 0 })
export const text = (string: string): Field => buffer(raw(Buffer.from(string)))

export function encodeFields(fields: readonly Field[]): Uint8Array {
  return encoding.encode(encoder => writeFields(encoder, fields))
}

function writeFields(encoder: encoding.Encoder, fields: readonly Field[]): void {
  for (const field of fields) {
    switch (field.kind) {
      case 'uint':
        encoding.writeVarUint(encoder, field.value)
        break
      case 'raw':
        encoding.writeUint8Array(encoder, field.bytes)
        break
      case 'buffer': {
        const bytes = encodeFields(field.fields)
        encoding.writeVarUint(encoder, Math.max(0, bytes.length + field.lie))
        encoding.writeUint8Array(encoder, bytes)
        break
      }
      case 'list':
        encoding.writeVarUint(encoder, Math.max(0, field.items.length + field.lie))
        for (const item of field.items) writeFields(encoder, item)
    }
  }
}

/** Numbers at which something begins or ends: of our limits, of bits, of what JavaScript can count. */
const EDGES = [0, 1, 2, 3, 7, 9, 102, 110, 113, 114, 127, 128, 255, 256, 257, 320, 4096, 16_384, 16_385, 65_536]
const FAR_EDGES = [2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40, 2 ** 53 - 1]

/** Bytes that are no integer, no text, no JSON, or hardly. */
const ODD_BYTES: readonly Uint8Array[] = [
  new Uint8Array(0),
  Uint8Array.of(0),
  Uint8Array.of(0x80),
  Uint8Array.of(0x80, 0),
  new Uint8Array(9).fill(0xff),
  Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f),
  Uint8Array.of(0xed, 0xa0, 0x80),
  Uint8Array.of(0xc3),
  Buffer.from('\0'),
  Buffer.from('\u202e'),
  Buffer.from('null'),
  Buffer.from('{"a":'),
  Buffer.from('\ud83e\udd8a'),
]

/** Changes one to four parts of a message, and sometimes its bytes. @returns the message's bytes */
export function mutateFields(fields: Field[], random: Random): Uint8Array {
  for (let count = 1 + random.below(4); count > 0; count--) mutateOne(fields, random)
  const bytes = encodeFields(fields)
  return random.chance(0.2) ? mutateBytes(bytes, random) : bytes
}

function mutateOne(fields: Field[], random: Random): void {
  const sequence = random.pick(sequencesIn(fields))
  const at = random.below(sequence.length + 1)
  const field = sequence[at]
  if (field === undefined || random.chance(0.15)) {
    rearrange(sequence, at, random)
    return
  }
  switch (field.kind) {
    case 'uint':
      field.value = mutateNumber(field.value, random)
      break
    case 'raw':
      field.bytes = random.chance(0.3) ? random.pick(ODD_BYTES) : mutateBytes(field.bytes, random)
      break
    case 'buffer':
      if (random.chance(0.5)) field.lie = lie(random)
      else rearrange(field.fields, random.below(field.fields.length + 1), random)
      break
    case 'list':
      if (random.chance(0.5)) field.lie = lie(random)
      else if (field.items.length > 0) {
        const item = random.pick(field.items)
        const copies = random.chance(0.1) ? 200 : 1
        for (let copy = 0; copy < copies; copy++) field.items.push(copyOf(item))
      }
  }
}

function rearrange(sequence: Field[], at: number, random: Random): void {
  switch (random.below(5)) {
    case 0:
      sequence.splice(at, 1)
      break
    case 1:
      sequence.splice(at, 0, ...copyOf(sequence.slice(at, at + 1 + random.below(2))))
      break
    case 2:
      sequence.splice(at, 0, raw(random.pick(ODD_BYTES)))
      break
    case 3:
      sequence.splice(at, 0, uint(random.pick(EDGES)))
      break
    default:
      sequence.length = at
  }
}

function copyOf(fields: readonly Field[]): Field[] {
  return fields.map(field => {
    if (field.kind === 'buffer') return { ...field, fields: copyOf(field.fields) }
    return field.kind === 'list' ? { ...field, items: field.items.map(copyOf) } : { ...field }
  })
}

/** All sequences of fields within a message, itself included. */
function sequencesIn(fields: Field[]): Field[][] {
  const found = [fields]
  for (const field of fields) {
    if (field.kind === 'buffer') found.push(...sequencesIn(field.fields))
    else if (field.kind === 'list') for (const item of field.items) found.push(...sequencesIn(item))
  }
  return found
}

function lie(random: Random): number {
  return random.chance(0.2) ? random.pick(FAR_EDGES) : random.pick([-2, -1, 1, 2, 5])
}

function mutateNumber(value: number, random: Random): number {
  if (random.chance(0.1)) return random.pick(FAR_EDGES)
  if (random.chance(0.4)) return random.pick(EDGES)
  return Math.max(0, value + random.below(5) - 2)
}

/** One to three changes in bytes: cut out, put in, replaced, a bit turned, a part repeated, the end cut off. */
export function mutateBytes(given: Uint8Array, random: Random): Uint8Array {
  let bytes = given
  for (let count = 1 + random.below(3); count > 0; count--) {
    const at = random.below(bytes.length + 1)
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)]
    switch (random.below(6)) {
      case 0:
        bytes = Buffer.concat([before, after.subarray(1 + random.below(4))])
        break
      case 1:
        bytes = Buffer.concat([before, Uint8Array.of(random.below(256)), after])
        break
      case 2:
        bytes = Buffer.concat([before, Uint8Array.of(random.below(256)), after.subarray(1)])
        break
      case 3:
        bytes = Buffer.concat([before, Uint8Array.of((after[0] ?? 0) ^ (1 << random.below(8))), after.subarray(1)])
        break
      case 4:
        bytes = Buffer.concat([before, after.subarray(0, random.below(12)), after])
        break
      default:
        if (random.chance(0.3)) bytes = before
    }
  }
  return bytes
}
