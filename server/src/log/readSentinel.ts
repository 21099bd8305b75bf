import { WeftError } from '../errors.ts'
import type { LevelStore } from './LevelStore.ts'
import { decodeSentinel, recordFormat, sentinelKey } from './levelRecord.ts'

/**
 * Which store this is, by the record that guards identity and format.
 * @param folder as errors name it
 * @returns the store's id; null: it has no such record
 * @throws {WeftError} `STORE_DAMAGED`, `STORE_TOO_NEW`
 */
export async function readSentinel(store: LevelStore, folder: string): Promise<Buffer | null> {
  const [value] = await store.get([sentinelKey])
  if (value === undefined) return null
  const sentinel = decodeSentinel(value)
  if (typeof sentinel === 'string')
    throw new WeftError('STORE_DAMAGED', `the sentinel of the store in ${folder} is ${sentinel}`)
  if (sentinel.format > recordFormat) {
    const formats = `format ${sentinel.format}, and this version knows ${recordFormat}`
    throw new WeftError('STORE_TOO_NEW', `the store in ${folder} was written by a newer version (${formats})`)
  }
  return sentinel.storeId
}
