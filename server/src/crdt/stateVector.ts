import * as encoding from 'lib0/encoding'
import { ByteReader } from './ByteReader.ts'
import type { UpdateLimits } from './UpdateLimits.ts'

/** `Map<clientID, clock>`: for each client the next clock expected. A client without an entry stands at 0. */
export type StateVector = ReadonlyMap<number, number>

/**
 * Reads a state vector, the body of a sync step 1.
 * `stateVector = varUint(n) (varUint(clientID) varUint(clock))*n`
 * @returns without the clients that stand at 0
 * @throws {MalformedUpdate}
 */
export function readStateVector(bytes: Uint8Array, limits: Pick<UpdateLimits, 'maxClients'>): Map<number, number> {
  const reader = new ByteReader(bytes)
  const count = reader.readCount(2)
  if (count > limits.maxClients) throw reader.malformed(`${count} clients are over ${limits.maxClients}`)
  const seen = new Set<number>()
  const stateVector = new Map<number, number>()
  for (let index = 0; index < count; index++) {
    const clientID = reader.readClientID()
    const clock = reader.readClock()
    if (seen.has(clientID)) throw reader.malformed(`two clocks of client ${clientID}`)
    seen.add(clientID)
    if (clock > 0) stateVector.set(clientID, clock)
  }
  if (reader.bytesLeft > 0) throw reader.malformed(`${reader.bytesLeft} bytes follow its end`)
  return stateVector
}

/** As `Y.encodeStateVector`: clients in falling order, those at 0 left out. Equal state vectors give equal bytes. */
export function encodeStateVector(stateVector: StateVector): Uint8Array {
  const entries = [...stateVector].filter(([, clock]) => clock > 0).sort(([a], [b]) => b - a)
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, entries.length)
  for (const [clientID, clock] of entries) {
    encoding.writeVarUint(encoder, clientID)
    encoding.writeVarUint(encoder, clock)
  }
  return encoding.toUint8Array(encoder)
}

/** Whether `a` has everything that `b` has: for every client a clock at or above. */
export function covers(a: StateVector, b: StateVector): boolean {
  for (const [clientID, clock] of b) {
    if ((a.get(clientID) ?? 0) < clock) return false
  }
  return true
}

/** A string that equal state vectors share, and no others: for sharing one answer among those who ask the same. */
export function stateVectorKey(stateVector: StateVector): string {
  return Buffer.from(encodeStateVector(stateVector)).toString('latin1')
}
