import { ByteReader } from './ByteReader.ts'
import { readStructs } from './readStructs.ts'

const reader = new ByteReader()

/** Which operations a client has, told from the bytes it got: per Yjs client the next clock, and what came too early. */
export class Coverage {
  readonly next = new Map<number, number>()
  #early: { clientID: number; clock: number; end: number }[] = []

  /** @param update Yjs update, v1 */
  add(update: Uint8Array): void {
    readStructs(reader.reset(update), this)
    if (this.#early.length === 0) return
    // What came before its predecessor counts once that is here.
    for (let hasMoved = true; hasMoved; ) {
      const early = this.#early
      this.#early = []
      for (const { clientID, clock, end } of early) this.struct(clientID, clock, end - clock)
      hasMoved = this.#early.length > 0 && this.#early.length < early.length
    }
  }

  struct(clientID: number, clock: number, length: number): void {
    const next = this.next.get(clientID) ?? 0
    if (clock > next) this.#early.push({ clientID, clock, end: clock + length })
    else if (clock + length > next) this.next.set(clientID, clock + length)
  }

  /** Whether it has all of these. @param stateVector per client the next clock */
  holds(stateVector: ReadonlyMap<number, number>): boolean {
    for (const [clientID, clock] of stateVector) if ((this.next.get(clientID) ?? 0) < clock) return false
    return true
  }
}
