import type { ByteReader } from './ByteReader.ts'

/** Is told which operations an update holds, in their order. */
export interface StructVisitor {
  struct(clientID: number, clock: number, length: number): void
}

/**
 * Reads which operations a Yjs update (v1) holds, without building them. Knows what the benchmark's documents are made of:
 * text, what remains of deleted text, and gaps; anything else throws.
 * Source: yjs 13, `readClientsStructRefs` and `readDeleteSet`.
 */
export function readStructs(reader: ByteReader, visitor: StructVisitor): void {
  for (let clients = reader.varUint(); clients > 0; clients--) {
    let structs = reader.varUint()
    const clientID = reader.varUint()
    let clock = reader.varUint()
    for (; structs > 0; structs--) {
      const info = reader.byte()
      const content = info & 31
      if (content === 10) {
        // A gap: these operations are not here.
        clock += reader.varUint()
        continue
      }
      const length = content === 0 ? reader.varUint() : readItem(reader, info, content)
      visitor.struct(clientID, clock, length)
      clock += length
    }
  }
  for (let clients = reader.varUint(); clients > 0; clients--) {
    reader.varUint()
    for (let ranges = reader.varUint(); ranges > 0; ranges--) {
      reader.varUint()
      reader.varUint()
    }
  }
  if (!reader.isAtEnd) throw new RangeError('bytes follow an update')
}

function readItem(reader: ByteReader, info: number, content: number): number {
  const hasOrigin = (info & 128) !== 0
  const hasRightOrigin = (info & 64) !== 0
  if (hasOrigin) skipId(reader)
  if (hasRightOrigin) skipId(reader)
  if (!hasOrigin && !hasRightOrigin) {
    if (reader.varUint() === 1) reader.skipVarBytes()
    else skipId(reader)
    if ((info & 32) !== 0) reader.skipVarBytes()
  }
  if (content === 4) return reader.skipVarString()
  if (content === 1) return reader.varUint()
  throw new RangeError(`an update holds content of type ${content}, which the benchmark doesn't write`)
}

function skipId(reader: ByteReader): void {
  reader.varUint()
  reader.varUint()
}
