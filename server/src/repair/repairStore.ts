import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { WeftError } from '../errors.ts'
import { readVersion } from '../log/checkLevelFiles.ts'
import { readLevelLog } from '../log/levelLogFile.ts'
import { decodeSentinel, recordFormat, sentinelKey } from '../log/levelRecord.ts'
import { FoundRecords } from './FoundRecords.ts'
import { type RepairedDocument, repairDocument } from './repairDocument.ts'
import { type FoundOperation, salvageLog, salvageTable } from './salvageFiles.ts'

export type RepairItem =
  | { readonly type: 'document'; readonly repaired: RepairedDocument }
  /** Something that is wrong with a file of the store, or with all of it. */
  | { readonly type: 'problem'; readonly problem: string }

/**
 * Reads a damaged store of ours past LevelDB, which would forgive some damage without a word, refuse the rest, and write to the
 * folder: nothing is written to it here. All tables and logs count that are there, whatever CURRENT and the manifest say of
 * them: each write has a number, by which the last one to a key is known.
 * @param folder nobody uses it @param scratch a folder that is there and empty, with room for as much as `folder` has
 * @throws {WeftError} `STORE_FOREIGN`: nothing of ours is in it; `STORE_TOO_NEW`; `STORAGE_READ_FAILED`
 */
export async function* repairStore(folder: string, scratch: string): AsyncGenerator<RepairItem> {
  const problems: string[] = []
  const found = await FoundRecords.create(scratch)
  try {
    const names = (await readdir(folder)).sort()
    problems.push(...(await checkNames(folder, names)))
    const logs = names.filter(name => /^\d+\.log$/.test(name))
    let hasSentinel = false
    for (const name of names) {
      if (!/^\d+\.(ldb|sst|log)$/.test(name)) continue
      const operations = await readOperations(folder, name, name === logs.at(-1), what =>
        problems.push(`${name}: ${what}`),
      )
      for (const operation of operations) {
        if (operation.key.equals(sentinelKey)) hasSentinel = isOurs(folder, operation) || hasSentinel
        await found.add(operation)
      }
    }
    if (!hasSentinel && found.count === 0) throw new WeftError('STORE_FOREIGN', `${folder} holds no record of Weft's`)
    if (!hasSentinel) problems.push('the sentinel record is lost')
    if (found.strayCount > 0) problems.push(`records that belong to no document: ${found.strayCount}`)
    for (const problem of problems) yield { type: 'problem', problem }
    for await (const document of found.documents()) {
      const repaired = await repairDocument(document)
      if (repaired !== null) yield { type: 'document', repaired }
    }
  } finally {
    await found.close()
  }
}

async function readOperations(
  folder: string,
  name: string,
  isNewestLog: boolean,
  damaged: (what: string) => void,
): Promise<Iterable<FoundOperation>> {
  let file: Buffer
  try {
    file = await readFile(join(folder, name))
  } catch (error) {
    damaged(`it can't be read: ${error instanceof Error ? error.message : String(error)}`)
    return []
  }
  return name.endsWith('.log') ? salvageLog(file, isNewestLog, damaged) : salvageTable(file, damaged)
}

/** @throws {WeftError} `STORE_TOO_NEW` */
function isOurs(folder: string, { value }: FoundOperation): boolean {
  if (value === null) return false
  const sentinel = decodeSentinel(value)
  if (typeof sentinel === 'string') return false
  if (sentinel.format > recordFormat) {
    const formats = `format ${sentinel.format}, and this version knows ${recordFormat}`
    throw new WeftError('STORE_TOO_NEW', `the store in ${folder} was written by a newer version (${formats})`)
  }
  return true
}

/** What the list of files says that isn't so. */
async function checkNames(folder: string, names: readonly string[]): Promise<string[]> {
  const manifests = names.filter(name => /^MANIFEST-\d+$/.test(name))
  const current = await readFile(join(folder, 'CURRENT'), 'latin1').catch(() => null)
  const named = current === null ? undefined : /^(MANIFEST-\d+)\n$/.exec(current)?.[1]
  const problems: string[] = []
  if (current === null) problems.push('the file CURRENT is missing')
  else if (named === undefined || !manifests.includes(named)) problems.push('CURRENT names no manifest that is there')
  const manifest = named !== undefined && manifests.includes(named) ? named : manifests.at(-1)
  if (manifest === undefined) return [...problems, 'the manifest is missing']
  const file = await readFile(join(folder, manifest)).catch(() => Buffer.of())
  const { records, damagedAt, tornAt } = readLevelLog(file)
  if (damagedAt !== null || tornAt !== null)
    problems.push(`${manifest}: a broken record at byte ${damagedAt ?? tornAt}`)
  const version = readVersion(records)
  if (typeof version === 'string') return [...problems, `${manifest}: ${version}`]
  const isThere = (number: number, ...ends: string[]) =>
    ends.some(end => names.includes(`${String(number).padStart(6, '0')}.${end}`))
  for (const number of version.tables.keys()) {
    if (!isThere(number, 'ldb', 'sst')) problems.push(`the table ${number}, which ${manifest} names, is missing`)
  }
  if (version.logNumber > 0 && !isThere(version.logNumber, 'log')) {
    problems.push(`the log ${version.logNumber}, which ${manifest} names, is missing`)
  }
  return problems
}
