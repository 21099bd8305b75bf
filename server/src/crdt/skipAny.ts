import type { ByteReader } from './ByteReader.ts'

const PROTOTYPE_KEY = new TextEncoder().encode('\u0009__proto__')

/**
 * Passes over a value in lib0's `any` encoding (the content of Yjs arrays, maps and attributes).
 * `any = 127 | 126 | 125 varInt | 124 float32 | 123 float64 | 122 bigInt64 | 121 | 120 | 119 varString |
 *  118 varUint(n) (varString any)*n | 117 varUint(n) any*n | 116 varByteArray`
 * @param maxDepth levels of objects and arrays allowed
 * @throws {MalformedUpdate}
 */
export function skipAny(reader: ByteReader, maxDepth: number): void {
  const tag = reader.readByte()
  switch (tag) {
    case 127: // undefined
    case 126: // null
    case 121: // false
    case 120: // true
      return
    case 125:
      reader.skipVarInt()
      return
    case 124:
      reader.skip(4)
      return
    case 123:
    case 122:
      reader.skip(8)
      return
    case 119:
      reader.skipString()
      return
    case 118: {
      if (maxDepth < 1) throw reader.malformed('a value nests too deep')
      const count = reader.readCount(2)
      for (let index = 0; index < count; index++) {
        // lib0 decodes by assignment: this key would set a prototype, and no replica could encode the value again.
        if (reader.nextIs(PROTOTYPE_KEY)) throw reader.malformed('a key of a value is __proto__')
        reader.skipString()
        skipAny(reader, maxDepth - 1)
      }
      return
    }
    case 117: {
      if (maxDepth < 1) throw reader.malformed('a value nests too deep')
      const count = reader.readCount(1)
      for (let index = 0; index < count; index++) skipAny(reader, maxDepth - 1)
      return
    }
    case 116:
      reader.skip(reader.readVarUint())
      return
    default:
      throw reader.malformed(`unknown kind of value ${tag}`, reader.position - 1)
  }
}
