import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { Clock } from '../clock.ts'
import { bytesRead } from './socketCounts.ts'

const ALIVE_TIMEOUT_MS = 2000
const MAX_UNANSWERED_PINGS = 2

/** Whether anybody is at the other end: pings, and takes every byte for an answer. */
export class Heartbeat {
  readonly #webSocket: WebSocket
  readonly #socket: Duplex
  readonly #clock: Clock
  readonly #pingMs: number
  readonly #isPaused: () => boolean
  #pingedAt: number
  #unansweredPings = 0
  #bytesRead = 0
  #aliveWaiters: ((isAlive: boolean) => void)[] = []

  /** @param pingMs time between two pings, rounded up to whole sweeps @param isPaused whether the socket isn't read: what it answers meanwhile, we don't hear */
  constructor(webSocket: WebSocket, socket: Duplex, clock: Clock, pingMs: number, isPaused: () => boolean) {
    this.#webSocket = webSocket
    this.#socket = socket
    this.#clock = clock
    this.#pingMs = pingMs
    this.#pingedAt = clock.now()
    this.#isPaused = isPaused
  }

  get #isOpen(): boolean {
    return this.#webSocket.readyState === this.#webSocket.OPEN
  }

  /** A message or a pong came. */
  heard(): void {
    this.#unansweredPings = 0
    if (this.#aliveWaiters.length > 0) for (const answer of this.#aliveWaiters.splice(0)) answer(true)
  }

  /** It reads what we write: our pings wait behind a large frame, and that this gets smaller is life enough. */
  sawReading(): void {
    this.#unansweredPings = 0
  }

  /** As `Outlet.isAlive`. */
  isAlive(): Promise<boolean> {
    if (!this.#isOpen) return Promise.resolve(false)
    const bytesBefore = bytesRead(this.#socket)
    return new Promise(resolve => {
      const timer = this.#clock.setTimer(() => {
        this.#aliveWaiters = this.#aliveWaiters.filter(waiter => waiter !== answer)
        // A pong comes after the large message that is on its way; and what it answers while we don't read, we don't hear.
        resolve(this.#isOpen && (this.#isPaused() || bytesRead(this.#socket) !== bytesBefore))
      }, ALIVE_TIMEOUT_MS)
      const answer = (isAlive: boolean) => {
        this.#clock.clearTimer(timer)
        resolve(isAlive)
      }
      this.#aliveWaiters.push(answer)
      if (this.#aliveWaiters.length === 1) this.#webSocket.ping()
    })
  }

  /** Called at each sweep: pings, where it is time. @param now monotonic ms @returns whether nobody is there any more */
  sweep(now: number): boolean {
    if (now - this.#pingedAt < this.#pingMs) return false
    this.#pingedAt = now
    if (this.#isPaused()) return false
    // A pong comes after the large message that is on its way: bytes of it are a sign of life, however slow the link.
    const read = bytesRead(this.#socket)
    if (read !== this.#bytesRead) this.#unansweredPings = 0
    this.#bytesRead = read
    if (this.#unansweredPings >= MAX_UNANSWERED_PINGS) return true
    this.#unansweredPings++
    this.#webSocket.ping()
    return false
  }

  /** The socket is closed. */
  stop(): void {
    for (const answer of this.#aliveWaiters) answer(false)
    this.#aliveWaiters = []
  }
}
