import type { Readable } from 'node:stream'
import { CommandError } from './errors.ts'

/** No document is larger. */
const MAX_INPUT_BYTES = 64 << 20

/**
 * All that comes over standard input.
 * @param signal ends the waiting, with its reason
 * @throws {CommandError} more than a document can hold
 */
export async function readInput(input: Readable, signal: AbortSignal): Promise<Buffer> {
  signal.throwIfAborted()
  const stop = () => input.destroy(signal.reason)
  signal.addEventListener('abort', stop)
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of input) {
      length += chunk.length
      if (length > MAX_INPUT_BYTES) throw new CommandError(`standard input has over ${MAX_INPUT_BYTES} bytes`)
      chunks.push(chunk)
    }
  } finally {
    signal.removeEventListener('abort', stop)
  }
  return Buffer.concat(chunks, length)
}
