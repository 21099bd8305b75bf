import type { FrameCompressor } from './FrameCompressor.ts'

interface HeldFrames {
  readonly frames: Buffer
  readonly sharedBy: object | null
  readonly address: string | null
}

/** Writes to one connection what is compressed for all of them, in order: what comes while a large frame is compressed waits. */
export class CompressedWriter {
  readonly #compressor: FrameCompressor
  readonly #send: (frames: Buffer, sharedBy: object | null, address: string | null) => void
  readonly #onDrain: () => void
  #held: HeldFrames[] = []
  #heldBytes = 0

  /** @param onDrain called when nothing waits any more */
  constructor(
    compressor: FrameCompressor,
    send: (frames: Buffer, sharedBy: object | null, address: string | null) => void,
    onDrain: () => void,
  ) {
    this.#compressor = compressor
    this.#send = send
    this.#onDrain = onDrain
  }

  /** Bytes that wait, before compression. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  write(frames: Buffer, sharedBy: object | null, address: string | null): void {
    if (this.#held.length === 0) {
      const compressed = this.#compressor.compress(frames)
      if (!(compressed instanceof Promise)) {
        this.#send(compressed, sharedBy, address)
        return
      }
    }
    this.#held.push({ frames, sharedBy, address })
    this.#heldBytes += frames.length
    if (this.#held.length === 1) void this.#release()
  }

  /** Writes what waits as it is: the connection is about to end. */
  flush(): void {
    const held = this.#held
    this.#held = []
    this.#heldBytes = 0
    for (const { frames, sharedBy, address } of held) this.#send(frames, sharedBy, address)
  }

  async #release(): Promise<void> {
    for (;;) {
      const next = this.#held[0]
      if (next === undefined) break
      const compressed = await this.#compressor.compress(next.frames)
      // Flushed meanwhile.
      if (this.#held[0] !== next) return
      this.#held.shift()
      this.#heldBytes -= next.frames.length
      this.#send(compressed, next.sharedBy, next.address)
    }
    this.#onDrain()
  }
}
