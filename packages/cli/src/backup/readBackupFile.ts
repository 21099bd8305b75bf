import { createReadStream } from 'node:fs'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { CommandError } from '../errors.ts'

/**
 * The bytes of a file, uncompressed where they are gzip's, whatever the file is called.
 * @param signal ends it, with its reason
 * @throws {CommandError} it can't be read, or its compression is broken
 */
export async function* readBackupFile(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  let beginning: Uint8Array | null = null
  // Closed where it ends here: only its beginning is looked at.
  for await (const chunk of read(path, createReadStream(path, { end: 1 }))) beginning = chunk
  if (beginning === null) return
  const file = createReadStream(path)
  const isCompressed = beginning[0] === 0x1f && beginning[1] === 0x8b
  // What fails is thrown by whom it is read from.
  const stream = isCompressed ? pipeline(file, createGunzip(), () => {}) : file
  for await (const chunk of read(path, stream)) {
    signal.throwIfAborted()
    yield chunk
  }
}

async function* read(path: string, stream: Readable): AsyncGenerator<Uint8Array> {
  try {
    yield* stream
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    if (code === 'Z_BUF_ERROR') throw new CommandError(`${path} was cut short: its compression has no end`)
    if (code.startsWith('Z_')) throw new CommandError(`${path} is damaged: ${message}`)
    if (code === 'EISDIR') throw new CommandError(`${path} is a folder, and no backup`)
    throw new CommandError(`${path} can't be read: ${message}`)
  }
}
