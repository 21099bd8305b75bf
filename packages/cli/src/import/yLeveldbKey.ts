import * as encoding from 'lib0/encoding'

// key     = part*
// part    = 00 varString | 01 uint32 (big endian)
// update  = 'v1', name, 'update', clock → an update, v1
// meta    = 'v1', name, 'meta', key     → anything; not of the server of y-websocket
// state   = 'v1_sv', name               → a state vector, which the updates make unnecessary
//
// Source: y-leveldb 0.1 and 0.2, src/y-leveldb.js (keyEncoding, createDocumentUpdateKey).

const STRING = 0
const UINT32 = 1

function key(...parts: readonly string[]): Buffer {
  const encoder = encoding.createEncoder()
  for (const part of parts) {
    encoding.writeUint8(encoder, STRING)
    encoding.writeVarString(encoder, part)
  }
  return Buffer.from(encoding.toUint8Array(encoder))
}

/** After every key that begins with this one: a part begins with 00 or 01. */
function behind(prefix: Buffer): Buffer {
  return Buffer.concat([prefix, Buffer.of(UINT32 + 1)])
}

/** Where all that is stored of documents lies. */
export const documentsRange = { gte: key('v1'), lt: behind(key('v1')) } as const

/** Behind all that is stored of one document. */
export function documentEnd(name: string): Buffer {
  return behind(key('v1', name))
}

/** Where one document's updates lie, in their order. */
export function updatesRange(name: string): { gte: Buffer; lt: Buffer } {
  const gte = key('v1', name, 'update')
  return { gte, lt: behind(gte) }
}

/** The document that a key in `documentsRange` belongs to; null: no key of y-leveldb's. */
export function decodeLevelName(bytes: Buffer): string | null {
  let at = documentsRange.gte.length
  if (bytes[at++] !== STRING) return null
  let length = 0
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[at++]
    if (byte === undefined || scale > 2 ** 28) return null
    length += (byte & 127) * scale
    if (byte < 128) break
  }
  if (at + length > bytes.length) return null
  return bytes.toString('utf8', at, at + length)
}
