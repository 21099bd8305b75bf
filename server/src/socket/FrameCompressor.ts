import { promisify } from 'node:util'
import { constants, deflateRaw, deflateRawSync, type ZlibOptions } from 'node:zlib'
import { encodeCompressedFrame, payloadBegin, payloadLength } from '../room/encodeFrame.ts'

/** Smaller messages stay as they are: an edit of a few bytes doesn't get smaller. */
const MIN_BYTES = 1024
/** What is larger is compressed off the event loop. */
const MAX_INLINE_BYTES = 32 * 1024
/** Where more than this waits for the thread that compresses, what comes is sent as it is. */
const MAX_WAITING_BYTES = 32 << 20
/** A sync flush ends with these (RFC 7692, section 7.2.1: they are left out). */
const TAIL_BYTES = 4
const OPTIONS: ZlibOptions = { level: 3, finishFlush: constants.Z_SYNC_FLUSH }

const deflateInPool = promisify<Uint8Array, ZlibOptions, Buffer>(deflateRaw)

/**
 * Compresses frames for all connections that agreed to `permessage-deflate`: each frame once, whoever gets it. That is possible
 * because the server keeps no memory of earlier messages (`server_no_context_takeover`). With one, each connection would need a
 * compressor of its own: 260 kB, and a compression for each reader.
 */
export class FrameCompressor {
  /** Lives as long as the frames: what is held of a document's snapshot is bounded with it. */
  readonly #known = new WeakMap<Buffer, Buffer | Promise<Buffer>>()
  /** One large frame at a time: the store's writes need the threads, too. */
  #last: Promise<void> = Promise.resolve()
  #waitingBytes = 0

  /**
   * @param frames one or more frames of `encodeFrame`
   * @returns the same messages, compressed where that makes them smaller; a promise, which never rejects, for large ones
   */
  compress(frames: Buffer): Buffer | Promise<Buffer> {
    if (frames.length < MIN_BYTES) return frames
    const known = this.#known.get(frames)
    if (known !== undefined) return known
    if (frames.length > MAX_INLINE_BYTES) return this.#compressLater(frames)
    const compressed = eachMessage(frames, message => deflateRawSync(message, OPTIONS))
    this.#known.set(frames, compressed)
    return compressed
  }

  #compressLater(frames: Buffer): Buffer | Promise<Buffer> {
    if (this.#waitingBytes > 0 && this.#waitingBytes + frames.length > MAX_WAITING_BYTES) return frames
    this.#waitingBytes += frames.length
    const compressed = this.#last
      .then(() => compressInPool(frames))
      // Out of memory, say: larger than it might be, and right all the same.
      .catch(() => frames)
      .then(result => {
        this.#waitingBytes -= frames.length
        this.#known.set(frames, result)
        return result
      })
    this.#known.set(frames, compressed)
    this.#last = compressed.then(() => {})
    return compressed
  }
}

async function compressInPool(frames: Buffer): Promise<Buffer> {
  const deflated = new Map<number, Buffer>()
  for (let at = 0; at < frames.length; ) {
    const begin = payloadBegin(frames, at)
    const end = begin + payloadLength(frames, at)
    if (end - begin >= MIN_BYTES) deflated.set(begin, await deflateInPool(frames.subarray(begin, end), OPTIONS))
    at = end
  }
  return eachMessage(frames, (_message, begin) => deflated.get(begin))
}

/** The frames anew, with compressed payloads where those are smaller. */
function eachMessage(frames: Buffer, deflate: (message: Buffer, begin: number) => Buffer | undefined): Buffer {
  const parts: Buffer[] = []
  let isSmaller = false
  for (let at = 0; at < frames.length; ) {
    const begin = payloadBegin(frames, at)
    const end = begin + payloadLength(frames, at)
    const deflated = end - begin < MIN_BYTES ? undefined : deflate(frames.subarray(begin, end), begin)
    const frame = deflated && encodeCompressedFrame(deflated.subarray(0, deflated.length - TAIL_BYTES))
    if (frame !== undefined && frame.length < end - at) {
      isSmaller = true
      parts.push(frame)
    } else parts.push(frames.subarray(at, end))
    at = end
  }
  const [first] = parts
  if (!isSmaller) return frames
  return parts.length === 1 && first !== undefined ? first : Buffer.concat(parts)
}
