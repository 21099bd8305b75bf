import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { Meters } from '../Meters.ts'
import { addressFrames } from '../room/encodeFrame.ts'
import type { Pins } from '../room/Pins.ts'
import { CompressedWriter } from './CompressedWriter.ts'
import type { FrameCompressor } from './FrameCompressor.ts'
import { handleCount, systemQueueBytes } from './socketCounts.ts'
import type { UnsentBytes } from './UnsentBytes.ts'

/** Encryption copies what is written: a large frame is handed to it in slices of so many bytes, as fast as they leave. */
const ENCRYPTED_SLICE_BYTES = 64 << 10

export interface WriterOptions {
  readonly meters: Meters
  readonly unsent: UnsentBytes
  readonly pins: Pins
  /** Null: its client did not agree to `permessage-deflate`. */
  readonly compressor: FrameCompressor | null
  readonly isOpen: () => boolean
  /** Called when what was written has left. */
  readonly onDrain: () => void
}

/**
 * Writes encoded frames to one socket, and knows what of it waits. Straight to the socket: the frames are encoded already, once
 * for all who get them, and `ws` compresses and holds back none of its own (pings, pongs and closes), so the order stays.
 */
export class SocketWriter {
  readonly #socket: Duplex
  readonly #meters: Meters
  readonly #unsent: UnsentBytes
  readonly #pins: Pins
  /** What of it was counted among the unsent bytes of all. */
  #counted = 0
  readonly #compressed: CompressedWriter | null
  readonly #isEncrypted: boolean
  #sharedUnsent = 0
  #sharedBy: object | null = null
  #stuckSince: number | null = null
  /** Bytes that the operating system had taken at the last look. */
  #takenBytes = 0

  constructor(socket: Duplex, { meters, unsent, pins, compressor, isOpen, onDrain }: WriterOptions) {
    this.#socket = socket
    this.#meters = meters
    this.#unsent = unsent
    this.#pins = pins
    socket.on('drain', () => {
      this.#count()
      onDrain()
    })
    this.#compressed =
      compressor &&
      new CompressedWriter(
        compressor,
        (frames, sharedBy, address) => isOpen() && this.#send(frames, sharedBy, address),
        onDrain,
      )
    this.#isEncrypted = socket instanceof TLSSocket
    // All that waits would be encrypted at once, and held a second time.
    if (this.#isEncrypted) Reflect.set(socket, '_writev', undefined)
  }

  /** Bytes written and not yet taken by the operating system; those of shared frames don't count. */
  get unsentBytes(): number {
    return this.#socket.writableLength - this.#sharedUnsent + (this.#compressed?.heldBytes ?? 0)
  }

  /** As `Outlet.write`. @param address of the session where a connection carries many: goes before each message */
  write(frames: Buffer, sharedBy: object | null, address: string | null): void {
    if (this.#compressed === null) this.#send(frames, sharedBy, address)
    else this.#compressed.write(frames, sharedBy, address)
    this.#count()
  }

  /** As `Outlet.together`: a write to the system costs about the same whatever is in it. */
  together<T>(work: () => T): T {
    this.#socket.cork()
    try {
      return work()
    } finally {
      this.#socket.uncork()
      this.#count()
    }
  }

  /** The socket is closed. */
  stop(): void {
    this.#unsent.changed(-this.#counted)
    this.#counted = 0
    if (this.#sharedBy !== null) this.#pins.remove(this.#sharedBy)
    this.#sharedBy = null
  }

  #count(): void {
    const { unsentBytes } = this
    this.#unsent.changed(unsentBytes - this.#counted)
    this.#counted = unsentBytes
  }

  /** Writes what waits to be compressed as it is: the connection is about to end. */
  flush(): void {
    this.#compressed?.flush()
  }

  #send(frames: Buffer, sharedBy: object | null, address: string | null): void {
    if (address === null) {
      this.#sendBytes(frames, sharedBy)
      return
    }
    const parts = addressFrames(frames, address)
    // A copy is nobody's but this connection's; a view of shared bytes is as shared as they are.
    const holder = parts.length > 1 ? sharedBy : null
    for (const part of parts) this.#sendBytes(part, holder)
  }

  #sendBytes(frames: Buffer, sharedBy: object | null): void {
    if (this.#isEncrypted && frames.length > ENCRYPTED_SLICE_BYTES) {
      for (let at = 0; at < frames.length; at += ENCRYPTED_SLICE_BYTES) {
        this.#sendBytes(frames.subarray(at, at + ENCRYPTED_SLICE_BYTES), sharedBy)
      }
      return
    }
    this.#meters.sent(frames.length)
    // Of one version only: a reader that asks again after each compaction and never reads would keep them all alive.
    if (sharedBy === null || (this.#sharedUnsent > 0 && this.#sharedBy !== sharedBy)) {
      this.#socket.write(frames)
      return
    }
    if (this.#sharedBy === null) this.#pins.add(sharedBy)
    this.#sharedBy = sharedBy
    this.#sharedUnsent += frames.length
    this.#socket.write(frames, () => {
      this.#sharedUnsent -= frames.length
      if (this.#sharedUnsent > 0 || this.#sharedBy === null) return
      this.#pins.remove(this.#sharedBy)
      this.#sharedBy = null
    })
  }

  /**
   * Called at each sweep.
   * @param now monotonic ms
   * @returns for how many ms nothing that was written has left (0: nothing waits, or some of it has left since the last look);
   *   and whether some of what waited then has left
   */
  sweep(now: number): { stuckMs: number; hasDrained: boolean } {
    this.#count()
    const unsent = systemQueueBytes(this.#socket)
    const taken = handleCount(this.#socket, 'bytesWritten', 0) - unsent
    const stuckSince = this.#stuckSince
    if (unsent === 0 || taken !== this.#takenBytes) {
      this.#takenBytes = taken
      this.#stuckSince = unsent === 0 ? null : now
      return { stuckMs: 0, hasDrained: stuckSince !== null }
    }
    return { stuckMs: stuckSince === null ? 0 : now - stuckSince, hasDrained: false }
  }
}
