import { readdir, readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'

// What is simulated gets time, randomness, sockets and the disk from outside: else a seed would not repeat a history.
const source = new URL('../../server/src/', import.meta.url)
const folders = ['crdt', 'room', 'socket', 'log', 'access']

/** Modules of Node's that bring a world of their own. */
const forbiddenModules =
  /^node:(fs|child_process|cluster|dgram|dns|net|http|https|perf_hooks|timers|worker_threads|crypto)/
/** What those may bring all the same: names that only describe, or compute. */
const harmlessNames =
  /^(type \w+|IncomingMessage|KeyObject|STATUS_CODES|isIP|createHash|createPublicKey|createSecretKey)$/
const forbiddenGlobals =
  /\b(Date\.now|performance\.now|Math\.random|new Date\(\)|crypto\.getRandomValues|process\.hrtime|process\.nextTick|(?<![.#\w])(setTimeout|setInterval|setImmediate)\()/

/** Where the machine's own are handed in: what each brings is a parameter of those who use it. */
const doors = new Set([
  'log/levelSystem.ts',
  'log/storeFolder.ts',
  'log/checkLevelFiles.ts',
  // A new store from a backup, and what belongs to keys of tokens and share links: not part of the way of an edit.
  'log/buildLevelStore.ts',
  'log/levelLogFile.ts',
  'log/levelTable.ts',
  'access/KeysFile.ts',
  'access/KeysUrl.ts',
  'access/Links.ts',
  'access/Revocations.ts',
  'access/TokenSigner.ts',
  'access/openOwnTokens.ts',
  'access/ownKey.ts',
  // Between two pieces of a snapshot of more than 1 MiB it lets others have their turn.
  'log/documentRecords.ts',
])

async function problemsIn(file: string): Promise<string[]> {
  const text = await readFile(new URL(file, source), 'utf8')
  const problems: string[] = []
  for (const [, isType, names = '', module = ''] of text.matchAll(/^import (type )?(.+?) from '(.+?)'/gms)) {
    if (isType !== undefined || !forbiddenModules.test(module)) continue
    const imported = names.replaceAll(/[{}]/g, '').split(',')
    for (const name of imported.map(each => each.trim()).filter(each => each !== '' && !harmlessNames.test(each))) {
      problems.push(`${file} imports ${name} from ${module}`)
    }
  }
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
  const [found] = forbiddenGlobals.exec(code) ?? []
  if (found !== undefined) problems.push(`${file} uses ${found}`)
  return problems
}

it('what is simulated has no clock, randomness, disk or sockets of its own', async () => {
  const problems: string[] = []
  let count = 0
  for (const folder of folders) {
    for (const name of await readdir(new URL(`${folder}/`, source))) {
      const file = `${folder}/${name}`
      if (!/\.ts$/.test(name) || /\.test\.ts$|\.d\.ts$|Suite\.ts$/.test(name) || doors.has(file)) continue
      count++
      problems.push(...(await problemsIn(file)))
    }
  }
  expect(problems).toEqual([])
  expect(count).toBeGreaterThan(50)
})

it('and that is seen where it is so', async () => {
  expect(await problemsIn('log/levelSystem.ts')).toEqual([
    'log/levelSystem.ts imports randomBytes from node:crypto',
    'log/levelSystem.ts imports realpath from node:fs/promises',
    'log/levelSystem.ts uses Date.now',
  ])
})
