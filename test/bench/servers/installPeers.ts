import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const root = join(here, '../../..')
const pinned = join(here, '../peers')

/** Where the peers are installed: beside what the product needs, never with it. */
export const peersFolder = join(root, 'node_modules/.cache/weft/bench-peers')

/**
 * Installs the servers that Weft is measured beside, as pinned in `peers/package-lock.json`, where that hasn't been done.
 * Hocuspocus 4 declares Node 22; npm warns about that and installs it, and it runs on Node 20. better-sqlite3 is built from
 * source where no built one can be fetched (python3, make and a C++ compiler are needed then).
 */
export function installPeers(): void {
  mkdirSync(peersFolder, { recursive: true })
  const lock = readFileSync(join(pinned, 'package-lock.json'), 'utf8')
  const stamp = join(peersFolder, 'installed')
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lock) {
    for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(pinned, file), join(peersFolder, file))
    process.stderr.write('Installing the servers to compare with …\n')
    const { status, error, stdout, stderr } = spawnSync(
      'npm',
      ['ci', '--no-fund', '--no-audit', '--no-engine-strict'],
      { cwd: peersFolder, encoding: 'utf8' },
    )
    if (status !== 0) throw new Error(`the peers could not be installed: ${error ?? ''}${stdout}${stderr}`)
    writeFileSync(stamp, lock)
  }
  copyFileSync(join(here, 'programs/hocuspocus.mjs'), join(peersFolder, 'hocuspocus.mjs'))
}

/** The version of a package, and whether this Node is one that it names. */
export function describePackage(folder: string, name: string): string {
  const path = join(folder, 'node_modules', name, 'package.json')
  const { version, engines }: { version: string; engines?: { node?: string } } = JSON.parse(readFileSync(path, 'utf8'))
  const minimum = /^>=\s*(\d+)/u.exec(engines?.node ?? '')?.[1]
  const isOverridden = minimum !== undefined && Number(minimum) > Number(process.versions.node.split('.')[0])
  return `${name} ${version}${isOverridden ? ` (engines ${engines?.node} overridden)` : ''}`
}
