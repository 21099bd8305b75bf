/** One family's dialect on one connection: takes frames apart and hands their messages to sessions. */
export interface Peer {
  /** What the logs call it: the document, where the connection has only one. */
  readonly name: string
  /** Takes in one frame. @returns a promise where the next one must wait */
  receive(frame: Uint8Array): void | Promise<void>
  /** The connection has room again for what was held back. */
  drained(): void
  /** Data for a connection on which nothing else is said: stock clients leave after 30 s without, and count no pings. */
  keepAlive(): Buffer
  /** Says in the dialect's own form, before a final close code, why: older stock clients don't know such codes. */
  denial(reason: string): Buffer | null
  /** The connection has ended, and what came over it is worked off. */
  end(): void
}
