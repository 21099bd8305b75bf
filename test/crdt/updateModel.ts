import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'

/** An update taken apart, so that a test can change a part and put it together again, valid or not. */
export interface UpdateModel {
  blocks: BlockModel[]
  deletes: { clientID: number; ranges: { clock: number; length: number }[] }[]
}

export interface BlockModel {
  clientID: number
  clock: number
  structs: StructModel[]
}

export interface IdModel {
  clientID: number
  clock: number
}

/** `content` is the bytes after origins and parent: for garbage-collected structs and skips, the length. */
export interface StructModel {
  /** 0 garbage-collected, 1-9 content, 10 skip */
  kind: number
  length: number
  origin: IdModel | null
  rightOrigin: IdModel | null
  parent: string | IdModel | null
  key: string | null
  content: Uint8Array
}

export function takeApart(update: Uint8Array): UpdateModel {
  const { structs, ds } = Y.decodeUpdate(update)
  const model: UpdateModel = { blocks: [], deletes: [] }
  for (const struct of structs) {
    const { client, clock } = struct.id
    let block = model.blocks.at(-1)
    if (block === undefined || block.clientID !== client) {
      block = { clientID: client, clock, structs: [] }
      model.blocks.push(block)
    }
    block.structs.push(structModel(struct))
  }
  for (const [clientID, items] of ds.clients) {
    model.deletes.push({ clientID, ranges: items.map(({ clock, len }) => ({ clock, length: len })) })
  }
  return model
}

function structModel(struct: Y.Item | Y.GC | Y.Skip): StructModel {
  if (!(struct instanceof Y.Item)) {
    const kind = struct instanceof Y.GC ? 0 : 10
    const content = lengthBytes(struct.length)
    return { kind, length: struct.length, origin: null, rightOrigin: null, parent: null, key: null, content }
  }
  const encoder = new Y.UpdateEncoderV1()
  struct.content.write(encoder, 0)
  const parent: unknown = struct.parent
  return {
    kind: struct.content.getRef(),
    length: struct.length,
    origin: idModel(struct.origin),
    rightOrigin: idModel(struct.rightOrigin),
    parent: parent instanceof Y.ID ? idModel(parent) : typeof parent === 'string' ? parent : null,
    key: struct.parentSub,
    content: encoder.toUint8Array(),
  }
}

function idModel(id: Y.ID | null): IdModel | null {
  return id === null ? null : { clientID: id.client, clock: id.clock }
}

export function lengthBytes(length: number): Uint8Array {
  return encoding.encode(encoder => encoding.writeVarUint(encoder, length))
}

export function putTogether(model: UpdateModel): Uint8Array {
  return encoding.encode(encoder => {
    encoding.writeVarUint(encoder, model.blocks.length)
    for (const block of model.blocks) {
      encoding.writeVarUint(encoder, block.structs.length)
      encoding.writeVarUint(encoder, block.clientID)
      encoding.writeVarUint(encoder, block.clock)
      for (const struct of block.structs) writeStruct(encoder, struct)
    }
    encoding.writeVarUint(encoder, model.deletes.length)
    for (const { clientID, ranges } of model.deletes) {
      encoding.writeVarUint(encoder, clientID)
      encoding.writeVarUint(encoder, ranges.length)
      for (const { clock, length } of ranges) {
        encoding.writeVarUint(encoder, clock)
        encoding.writeVarUint(encoder, length)
      }
    }
  })
}

function writeStruct(encoder: encoding.Encoder, struct: StructModel): void {
  const { kind, origin, rightOrigin, parent, key } = struct
  if (kind === 0 || kind === 10) {
    encoding.writeUint8(encoder, kind)
  } else {
    encoding.writeUint8(
      encoder,
      kind | (origin === null ? 0 : 0x80) | (rightOrigin === null ? 0 : 0x40) | (key === null ? 0 : 0x20),
    )
    if (origin !== null) writeId(encoder, origin)
    if (rightOrigin !== null) writeId(encoder, rightOrigin)
    if (origin === null && rightOrigin === null) {
      if (typeof parent === 'string') {
        encoding.writeVarUint(encoder, 1)
        encoding.writeVarString(encoder, parent)
      } else {
        encoding.writeVarUint(encoder, 0)
        writeId(encoder, parent ?? { clientID: 0, clock: 0 })
      }
      if (key !== null) encoding.writeVarString(encoder, key)
    }
  }
  encoding.writeUint8Array(encoder, struct.content)
}

function writeId(encoder: encoding.Encoder, id: IdModel): void {
  encoding.writeVarUint(encoder, id.clientID)
  encoding.writeVarUint(encoder, id.clock)
}
