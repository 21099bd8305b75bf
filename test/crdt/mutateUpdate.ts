import * as encoding from 'lib0/encoding'
import type { Random } from './Random.ts'
import { type IdModel, lengthBytes, putTogether, type StructModel, takeApart, type UpdateModel } from './updateModel.ts'

/** `Map<clientID, clock>`: what a document contains at the moment, and so what a mutation can refer to. */
type StateVector = ReadonlyMap<number, number>

const ROOT_NAMES = ['text', 'xml', 'array', 'map', 'new']
const KEYS = ['k', 'l', 'title', 'level', 'bold']

/** The update with one to four changes, in its structure or in its bytes. */
export function mutateUpdate(update: Uint8Array, stateVector: StateVector, random: Random): Uint8Array {
  let bytes = update
  if (random.chance(0.8)) {
    const model = takeApart(update)
    for (let count = 1 + random.below(4); count > 0; count--) mutateModel(model, stateVector, random)
    if (random.chance(0.9)) model.blocks.sort((a, b) => b.clientID - a.clientID)
    bytes = putTogether(model)
    if (random.chance(0.9)) return bytes
  }
  return mutateBytes(bytes, random)
}

/** The same, with what is new of client `from` as new of client `to`. */
export function extendAs(to: number, update: Uint8Array, from: number, stateVector: StateVector): Uint8Array {
  const model = takeApart(update)
  const start = stateVector.get(from) ?? 0
  const shift = (stateVector.get(to) ?? 0) - start
  const move = (id: IdModel | string | null) => {
    if (id === null || typeof id === 'string' || id.clientID !== from || id.clock < start) return
    id.clientID = to
    id.clock += shift
  }
  for (const block of model.blocks) {
    for (const struct of block.structs) {
      move(struct.origin)
      move(struct.rightOrigin)
      move(struct.parent)
    }
    move(block)
  }
  for (const deletes of model.deletes) {
    if (deletes.clientID === from)
      deletes.ranges = deletes.ranges.filter(({ clock, length }) => clock + length <= start)
  }
  model.blocks.sort((a, b) => b.clientID - a.clientID)
  return putTogether(model)
}

function mutateBytes(update: Uint8Array, random: Random): Uint8Array {
  const bytes = [...update]
  for (let count = 1 + random.below(3); count > 0; count--) {
    const at = random.below(bytes.length + 1)
    switch (random.below(6)) {
      case 0:
        bytes.splice(at, random.below(4))
        break
      case 1:
        bytes.splice(at, 0, random.below(256))
        break
      case 2:
        if (at < bytes.length) bytes[at] = random.below(256)
        break
      case 3:
        if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
        break
      case 4:
        if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) + (random.chance(0.5) ? 1 : 255)
        break
      default:
        bytes.splice(random.below(bytes.length + 1), 0, ...bytes.slice(at, at + random.below(12)))
    }
  }
  return Uint8Array.from(bytes)
}

function mutateModel(model: UpdateModel, stateVector: StateVector, random: Random): void {
  const block = model.blocks.length > 0 ? random.pick(model.blocks) : null
  const index = block !== null && block.structs.length > 0 ? random.below(block.structs.length) : 0
  const struct = block?.structs[index] ?? null
  switch (random.below(17)) {
    case 0:
      if (block !== null) block.clientID = randomClient(stateVector, random)
      break
    case 1:
      if (block !== null) block.clock = nearClock(stateVector.get(block.clientID) ?? block.clock, random)
      break
    case 2:
      block?.structs.splice(index, 1)
      break
    case 3:
      if (block !== null && struct !== null) {
        block.structs.splice(random.below(block.structs.length + 1), 0, structuredClone(struct))
      }
      break
    case 4:
      block?.structs.splice(index, 0, randomStruct(stateVector, random))
      break
    case 5:
      if (struct !== null) struct.origin = random.chance(0.3) ? null : randomId(stateVector, random)
      break
    case 6:
      if (struct !== null) struct.rightOrigin = random.chance(0.3) ? null : randomId(stateVector, random)
      break
    case 7:
      if (struct !== null) {
        struct.parent = random.chance(0.5) ? random.pick(ROOT_NAMES) : randomId(stateVector, random)
        struct.origin = null
        struct.rightOrigin = null
      }
      break
    case 8:
      if (struct !== null) struct.key = random.chance(0.4) ? null : random.pick(KEYS)
      break
    case 9:
    case 10:
      if (struct !== null) Object.assign(struct, randomContent(random))
      break
    case 11: {
      const clientID = randomClient(stateVector, random)
      model.blocks.push({
        clientID,
        clock: stateVector.get(clientID) ?? 0,
        structs: [randomStruct(stateVector, random), randomStruct(stateVector, random)],
      })
      break
    }
    case 12:
    case 13: {
      const { clientID, clock } = randomId(stateVector, random)
      const range = { clock, length: 1 + random.below(8) }
      const deletes = model.deletes.find(candidate => candidate.clientID === clientID)
      if (deletes === undefined) model.deletes.push({ clientID, ranges: [range] })
      else deletes.ranges.push(range)
      break
    }
    case 14:
      if (model.deletes.length > 0) {
        const range = random.pick(random.pick(model.deletes).ranges)
        if (random.chance(0.5)) range.clock = nearClock(range.clock, random)
        else range.length = nearClock(range.length, random)
      }
      break
    case 15:
      if (block !== null) model.blocks.splice(model.blocks.indexOf(block), 1)
      break
    default:
      // Operations that are known, under another shape.
      if (block !== null) {
        const back = random.below(Math.min(block.clock, 6) + 1)
        if (back > 0) {
          block.clock -= back
          const kind = random.pick([0, 0, 1, 10])
          block.structs.unshift({ ...BARE, kind, length: back, content: lengthBytes(back), parent: 'text' })
        }
      }
  }
}

const BARE: Omit<StructModel, 'kind' | 'length' | 'content'> = {
  origin: null,
  rightOrigin: null,
  parent: null,
  key: null,
}

function randomStruct(stateVector: StateVector, random: Random): StructModel {
  const struct: StructModel = { ...BARE, ...randomContent(random) }
  if (random.chance(0.5)) struct.origin = randomId(stateVector, random)
  if (random.chance(0.4)) struct.rightOrigin = randomId(stateVector, random)
  struct.parent = random.chance(0.5) ? random.pick(ROOT_NAMES) : randomId(stateVector, random)
  if (random.chance(0.3)) struct.key = random.pick(KEYS)
  return struct
}

/** Any kind of content, mostly well-formed, of any length that fits it. */
function randomContent(random: Random): Pick<StructModel, 'kind' | 'length' | 'content'> {
  const kind = random.pick([0, 1, 2, 3, 4, 4, 5, 6, 6, 7, 7, 8, 8, 9, 10])
  const length = [0, 1, 2, 4, 8, 10].includes(kind) ? 1 + random.below(4) : 1
  const content = encoding.encode(encoder => {
    switch (kind) {
      case 0:
      case 1:
      case 10:
        return encoding.writeVarUint(encoder, random.chance(0.05) ? 0 : length)
      case 2:
        encoding.writeVarUint(encoder, length)
        for (let index = 0; index < length; index++) {
          encoding.writeVarString(encoder, random.pick(['1', '{"a":[]}', 'undefined', '"x"', 'null', '{', '\u00a01']))
        }
        return
      case 3:
        return encoding.writeVarUint8Array(encoder, Uint8Array.of(1, 2, 3))
      case 4:
        return encoding.writeVarString(
          encoder,
          random.pick(['🦊fox', 'abc', 'y', 'é', '🦊🦊', random.chance(0.1) ? '' : 'z']),
        )
      case 5:
        return encoding.writeVarString(encoder, random.pick(['{}', 'null', '1', '[]', 'undefined']))
      case 6:
        encoding.writeVarString(encoder, random.pick(['bold', 'link']))
        return encoding.writeVarString(encoder, random.pick(['true', 'null', '{"href":"x"}', '1', '[', '"a"']))
      case 7: {
        const type = random.below(random.chance(0.05) ? 9 : 7)
        encoding.writeVarUint(encoder, type)
        if (type === 3 || type === 5) encoding.writeVarString(encoder, 'name')
        return
      }
      case 8:
        encoding.writeVarUint(encoder, length)
        for (let index = 0; index < length; index++) {
          encoding.writeAny(encoder, random.pick([1, null, 'x', true, { a: 1 }, [undefined], 1.5]) as never)
        }
        return
      default:
        encoding.writeVarString(encoder, 'guid')
        return encoding.writeAny(
          encoder,
          random.pick([{}, { gc: false }, null, { guid: 5 }, { meta: [1] }, 'x']) as never,
        )
    }
  })
  return { kind, length, content }
}

function randomClient(stateVector: StateVector, random: Random): number {
  const clientIDs = [...stateVector.keys()]
  if (clientIDs.length === 0 || random.chance(0.05)) return random.pick([0, 7, 8, 9, 2 ** 32 - 1, 2 ** 32])
  return random.pick(clientIDs)
}

function randomId(stateVector: StateVector, random: Random): IdModel {
  const clientID = randomClient(stateVector, random)
  const clock = stateVector.get(clientID) ?? 0
  return { clientID, clock: random.chance(0.1) ? nearClock(clock, random) : random.below(Math.max(clock, 1)) }
}

function nearClock(clock: number, random: Random): number {
  if (random.chance(0.02)) return random.pick([0, 2 ** 31, 2 ** 32, 2 ** 40 - 1, 2 ** 53 - 1])
  return Math.max(0, clock + random.below(9) - 4)
}
