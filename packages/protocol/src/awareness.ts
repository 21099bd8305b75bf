import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { MalformedMessageError } from './decodeMessage.ts'

/** One client's state in an awareness payload. */
export interface AwarenessEntry {
  readonly clientID: number
  readonly clock: number
  /** The state as UTF-8 JSON, not parsed; `null` (four bytes) means: gone. */
  readonly json: Uint8Array
}

/** The JSON text `null`, the state of a client that left. */
export const NULL_STATE: Uint8Array = Uint8Array.of(0x6e, 0x75, 0x6c, 0x6c)

/** Whether an entry says that its client has left. */
export function isNullState(json: Uint8Array): boolean {
  return json.length === 4 && json[0] === 0x6e && json[1] === 0x75 && json[2] === 0x6c && json[3] === 0x6c
}

/**
 * Reads an awareness payload (y-protocols 1.0.7): `varUint(count) • count × (varUint(clientID) • varUint(clock) •
 * varString(json))`. The JSON is left as bytes: most entries are echoes, which a server skips by their clocks.
 * @param only the client whose entries are wanted: those of others are checked and passed over, at a tenth of the cost
 * @throws {MalformedMessageError} when it is cut short, has bytes left over, or an id or clock beyond 2^32
 */
export function decodeAwareness(payload: Uint8Array, only: number | null = null): AwarenessEntry[] {
  const entries: AwarenessEntry[] = []
  const decoder = decoding.createDecoder(payload)
  try {
    const count = decoding.readVarUint(decoder)
    for (let i = 0; i < count; i++) {
      const clientID = decoding.readVarUint(decoder)
      const clock = decoding.readVarUint(decoder)
      const length = decoding.readVarUint(decoder)
      if (clientID >= 2 ** 32 || clock > 2 ** 32) {
        throw new MalformedMessageError(`an awareness client id or clock is beyond 2^32`)
      }
      const left = payload.length - decoder.pos
      if (length > left) throw new MalformedMessageError(`an awareness state of ${length} bytes with ${left} left`)
      if (only === null || clientID === only) {
        entries.push({ clientID, clock, json: decoding.readUint8Array(decoder, length) })
      } else decoder.pos += length
    }
  } catch (error) {
    if (error instanceof MalformedMessageError) throw error
    throw new MalformedMessageError(`an awareness payload of ${payload.length} bytes does not decode`, { cause: error })
  }
  if (decoding.hasContent(decoder)) {
    throw new MalformedMessageError(`${payload.length - decoder.pos} bytes after the end of the awareness payload`)
  }
  return entries
}

/** The awareness payload with these entries. */
export function encodeAwarenessEntries(entries: readonly AwarenessEntry[]): Uint8Array {
  return encoding.encode(encoder => {
    encoding.writeVarUint(encoder, entries.length)
    for (const entry of entries) {
      encoding.writeVarUint(encoder, entry.clientID)
      encoding.writeVarUint(encoder, entry.clock)
      encoding.writeVarUint8Array(encoder, entry.json)
    }
  })
}
