import { createHash, randomUUID } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'

/** This machine, among those that share a file system. */
const machine = createHash('sha256').update(hostname()).digest('hex').slice(0, 8)
const pattern = /^(.*)\.weft-([0-9a-f]{8})-(\d{1,10})-[0-9a-f-]{36}$/

/**
 * A name for something that is made beside its place, and renamed when it is whole. It tells whose it is, so that what a killed
 * process left is known for that.
 * @param begin what it begins with: `.notes.weft`
 */
export function temporaryName(begin: string): string {
  return `${begin}.weft-${machine}-${process.pid}-${randomUUID()}`
}

/** Where it was done: once for each place is enough for one command. */
const cleared = new Set<string>()

/**
 * Takes away what processes of this machine left in a folder that ended before they could. What can't be taken away stays: that is
 * for the next one.
 * @param begin of the names that were given to `temporaryName`
 */
export async function clearLeftovers(folder: string, begin: string): Promise<void> {
  const place = join(folder, begin)
  if (cleared.has(place)) return
  cleared.add(place)
  const names = await readdir(folder).catch(() => [])
  for (const name of names) {
    const [, prefix, host, pid] = pattern.exec(name) ?? []
    if (prefix !== begin || host !== machine || isAlive(Number(pid))) continue
    await rm(join(folder, name), { recursive: true, force: true }).catch(() => {})
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Another user's, say.
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}
