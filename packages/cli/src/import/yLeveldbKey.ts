import * as encoding from 'lib0/encoding'

// key     = part*
// part    = 00 varString | 01 uint32 (big endian)
// update  = 'v1', name, 'update', clock → an update, v1
// meta    = 'v1', name, 'meta', key     → anything; not of the server of y-websocket
// state   = 'v1_sv', name               → a state vector, which the updates make unnecessary
//
// Source: y-leveldb 0.1 and 0.2, src/y-leveldb.js (keyEncoding, createDocumentUpdateKey).

const STRING = 0

function key(...parts: readonly Uint8Array[]): Buffer {
  const encoder = encoding.createEncoder()
  for (const part of parts) {
    encoding.writeUint8(encoder, STRING)
    encoding.writeVarUint8Array(encoder, part)
  }
  return Buffer.from(encoding.toUint8Array(encoder))
}

/** After every key that begins with this one, whatever follows. */
function behind(prefix: Buffer): Buffer {
  let last = prefix.length - 1
  while (prefix[last] === 0xff) last--
  const next = Buffer.from(prefix.subarray(0, last + 1))
  next[last] = (next[last] ?? 0) + 1
  return next
}

const VERSION = Buffer.from('v1')
const UPDATE = Buffer.from('update')

/** Where all that is stored of documents lies. */
export const documentsRange = { gte: key(VERSION), lt: behind(key(VERSION)) } as const

/** Behind all that is stored of the document with a name of these bytes. */
export function documentEnd(name: Uint8Array): Buffer {
  return behind(key(VERSION, name))
}

/** Where the updates of the document with a name of these bytes lie, in their order. */
export function updatesRange(name: Uint8Array): { gte: Buffer; lt: Buffer } {
  const gte = key(VERSION, name, UPDATE)
  return { gte, lt: behind(gte) }
}

/**
 * The name of the document that a key in `documentsRange` belongs to, in bytes: nothing makes sure that they are UTF-8.
 * Null: no key of y-leveldb's, which writes a length in as few bytes as it needs.
 */
export function nameInKey(bytes: Buffer): Buffer | null {
  let at = documentsRange.gte.length
  if (bytes[at++] !== STRING) return null
  let length = 0
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[at++]
    if (byte === undefined || scale > 2 ** 28) return null
    length += (byte & 127) * scale
    if (byte < 128) {
      if (byte === 0 && scale > 1) return null
      break
    }
  }
  if (at + length > bytes.length) return null
  return bytes.subarray(at, at + length)
}
