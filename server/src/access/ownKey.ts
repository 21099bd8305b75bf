import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { WeftError } from '../errors.ts'
import { syncFolder } from '../log/storeFolder.ts'

const KEY_BYTES = 32
const NAME = 'TOKEN_KEY'

/**
 * The key that the server's own tokens are signed with where no secret is configured: made at the first use, in a file of the
 * data folder that only its owner may read. Not among the records, which backups hold: nobody can sign with a backup.
 * @throws {WeftError} `STORE_DAMAGED`, `STORE_UNWRITABLE`
 */
export async function ownKey(dataFolder: string): Promise<KeyObject> {
  const path = join(dataFolder, NAME)
  try {
    const stored = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      throw error
    })
    const key = stored ?? (await makeKey(dataFolder, path))
    if (key.length === KEY_BYTES) return createSecretKey(key)
  } catch (error) {
    throw new WeftError('STORE_UNWRITABLE', `${path} can't be read or made`, { cause: error })
  }
  throw new WeftError(
    'STORE_DAMAGED',
    `${path} is no key of ${KEY_BYTES} bytes: remove it, and share links are exchanged anew`,
  )
}

async function makeKey(folder: string, path: string): Promise<Buffer> {
  const key = randomBytes(KEY_BYTES)
  const file = await open(`${path}.new`, 'w', 0o600)
  try {
    await file.writeFile(key)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
  await syncFolder(folder)
  return key
}
