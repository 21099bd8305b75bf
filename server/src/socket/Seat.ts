import type { CloseName } from '@weft/protocol'
import type { Outlet } from '../room/Outlet.ts'
import type { Session } from '../room/Session.ts'
import type { Connection } from './Connection.ts'

/** A peer whose connection carries many sessions. */
export interface SeatHost {
  /** Ends one session and says why, in the peer's dialect. */
  closeSeat(seat: Seat, name: CloseName, text: string): void
  /** It has ended. */
  leave(seat: Seat): void
}

/** The connection as one session sees it: what it writes goes behind its address. */
export class Seat implements Outlet {
  /** The session's own address: its key on the connection. */
  readonly key: string
  session: Session | null = null
  readonly #connection: Connection
  readonly #host: SeatHost
  #hasEnded = false

  constructor(connection: Connection, key: string, host: SeatHost) {
    this.#connection = connection
    this.key = key
    this.#host = host
  }

  get address(): string {
    return this.#connection.address
  }

  get isOpen(): boolean {
    return !this.#hasEnded && this.#connection.isOpen
  }

  get unsentBytes(): number {
    return this.#connection.unsentBytes
  }

  write(frames: Buffer, sharedBy: object | null = null): void {
    if (!this.#hasEnded) this.#connection.write(frames, sharedBy, this.key)
  }

  isAlive(): Promise<boolean> {
    return this.isOpen ? this.#connection.isAlive() : Promise.resolve(false)
  }

  close(name: CloseName, text: string): void {
    if (!this.#hasEnded) this.#host.closeSeat(this, name, text)
  }

  end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#host.leave(this)
    this.session?.end()
  }
}
