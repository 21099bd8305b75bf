import type { IncomingMessage } from 'node:http'
import { ApiError } from './ApiError.ts'
import type { ByteBudget } from './ByteBudget.ts'

export interface RequestBody {
  readonly content: Buffer
  /** Gives its bytes back to the budget, when nobody needs them any more. */
  release(): void
}

const FIRST_BYTES = 1024

export interface BodyLimits {
  readonly maxBytes: number
  readonly budget: ByteBudget
  /** Whose bytes they are: `holderOf`. */
  readonly holder: string
  /** It must have come after so long; left out: after as long as any request may take. */
  readonly seconds?: number
}

/**
 * Reads the body of a request, which must not be compressed. It grows in one buffer: a body that comes in pieces of a byte
 * costs no more than one that comes whole.
 *
 * What can't be held is passed over to its end before that is told: many clients listen only when they have sent all.
 * @throws {ApiError} `bad-type`, `too-large`, `busy`: the budget has no room for it; `bad-request`: it broke off, or took too long
 */
export function readBody(request: IncomingMessage, limits: BodyLimits): Promise<RequestBody> {
  const { maxBytes, budget, holder, seconds = null } = limits
  const encoding = request.headers['content-encoding']?.toLowerCase() ?? 'identity'
  if (encoding !== 'identity') return Promise.reject(new ApiError('bad-type', 'the content must not be compressed'))
  const sizeFault = (bytes: number) => (bytes > maxBytes ? tooLarge(maxBytes) : null)
  let refusal = sizeFault(Number(request.headers['content-length'] ?? 0))
  let buffer = Buffer.alloc(0)
  let length = 0

  const release = () => {
    budget.give(buffer.length, holder)
    buffer = Buffer.alloc(0)
  }
  const grow = (needed: number): ApiError | null => {
    const size = Math.min(maxBytes, Math.max(needed, 2 * buffer.length, FIRST_BYTES))
    if (!budget.take(size - buffer.length, holder)) return new ApiError('busy', 'too many requests are being taken in')
    const larger = Buffer.allocUnsafeSlow(size)
    buffer.copy(larger, 0, 0, length)
    buffer = larger
    return null
  }
  const add = (chunk: Buffer) => {
    if (refusal !== null) return
    const needed = length + chunk.length
    refusal = sizeFault(needed) ?? (needed > buffer.length ? grow(needed) : null)
    if (refusal === null) {
      chunk.copy(buffer, length)
      length = needed
    } else release()
  }
  return new Promise((resolve, reject) => {
    const brokeOff = () => {
      if (request.complete) return
      release()
      reject(new ApiError('bad-request', 'the request broke off'))
    }
    const tookTooLong = () => {
      refusal ??= new ApiError('bad-request', `the body took longer than ${seconds} s`)
      release()
      reject(refusal)
    }
    const timer = seconds === null ? null : setTimeout(tookTooLong, seconds * 1000).unref()
    const end = () => {
      if (timer !== null) clearTimeout(timer)
    }
    request.on('data', add)
    request.on('end', () => {
      end()
      if (refusal === null) resolve({ content: buffer.subarray(0, length), release })
      else reject(refusal)
    })
    request.on('close', () => {
      end()
      brokeOff()
    })
    if (request.destroyed) brokeOff()
  })
}

function tooLarge(maxBytes: number): ApiError {
  return new ApiError('too-large', `the content is over ${maxBytes} bytes`)
}
