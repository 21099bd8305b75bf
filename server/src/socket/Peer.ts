import { encodeAwareness } from '@weft/protocol'
import { encodeFrame } from '../room/encodeFrame.ts'

/** An awareness message without states: data for those who have nothing to hear. */
export const KEEP_ALIVE = encodeFrame(encodeAwareness(Uint8Array.of(0)))

/** One family's dialect on one connection: takes frames apart and hands their messages to sessions. */
export interface Peer {
  /** Takes in one frame. @returns a promise where the next one must wait */
  receive(frame: Uint8Array): void | Promise<void>
  /** The connection has room again for what was held back. */
  drained(): void
  /** Whether something that came over it waits for the disk. */
  readonly hasPending: boolean
  /** Data for a connection on which nothing else is said: stock clients leave after 30 s without, and count no pings. */
  keepAlive(): Buffer
  /** Says in the dialect's own form, before a final close code, why: older stock clients don't know such codes. */
  denial(reason: string): Buffer | null
  /** The connection has ended, and what came over it is worked off. */
  end(): void
}
