import type { Clock } from '../clock.ts'
import type { Committer } from './Committer.ts'
import type { Rooms } from './Rooms.ts'

export interface PressureSettings {
  readonly maxPendingBytes: number
  readonly maxPendingSeconds: number
}

/** Whether more comes in than the disk takes, or memory holds: then nothing more is read. */
export class Pressure {
  readonly #committer: Pick<Committer, 'pendingBytes' | 'stalledMs'>
  readonly #rooms: Pick<Rooms, 'isOverMemory'>
  readonly #settings: PressureSettings
  readonly #clock: Clock
  #lookedAt = Number.NEGATIVE_INFINITY
  #isOverMemory = false

  constructor(
    committer: Pick<Committer, 'pendingBytes' | 'stalledMs'>,
    rooms: Pick<Rooms, 'isOverMemory'>,
    settings: PressureSettings,
    clock: Clock,
  ) {
    this.#committer = committer
    this.#rooms = rooms
    this.#settings = settings
    this.#clock = clock
  }

  /** Whether the disk takes too long for a write: those whose edits wait for it are read no more. Called for every message. */
  get isStalled(): boolean {
    return this.#committer.stalledMs > this.#settings.maxPendingSeconds * 1000
  }

  /** Called for every message. */
  get isHigh(): boolean {
    if (this.#committer.pendingBytes > this.#settings.maxPendingBytes) return true
    const now = this.#clock.now()
    if (now - this.#lookedAt > LOOK_MS) {
      this.#lookedAt = now
      this.#isOverMemory = this.#rooms.isOverMemory
    }
    return this.#isOverMemory
  }
}

/** Memory of open documents is looked at so often. */
const LOOK_MS = 20
