import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clearLeftovers, temporaryName } from './TemporaryName.ts'

/** A new folder for temporary files, which only this user can look into. What killed processes left of that kind goes. */
export async function makeTemporaryFolder(kind: string): Promise<string> {
  await clearLeftovers(tmpdir(), kind)
  const folder = join(tmpdir(), temporaryName(kind))
  await mkdir(folder, { mode: 0o700 })
  return folder
}
