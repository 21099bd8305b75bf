import type { Fault } from '@weft/server/decodeBackup'
import { quoteName } from '../quoteName.ts'
import { counted } from './amounts.ts'

/** Said of a backup of the first format. */
export const WITHOUT_FILES =
  'this backup is of an older version, which left out the files that were put into documents (data/uploads)'

/** What could not be backed up, as `--json` says it. */
export interface DamagedItem {
  readonly document: string | null
  /** Of the document; without it: the document itself. */
  readonly file?: string
  readonly problem: string
}

export function damagedItem({ name, file, problem }: Fault): DamagedItem {
  return { document: name, ...(file !== undefined && { file }), problem }
}

/** `team/notes: `, `team/notes: 0f….png: `, or nothing where nobody knows. */
export function placeOf({ name, file }: Pick<Fault, 'name' | 'file'>): string {
  const parts = [...(name === null ? [] : [quoteName(name)]), ...(file === undefined ? [] : [file])]
  return parts.map(part => `${part}: `).join('')
}

/** `2 documents, 1 deleted, 3 files`. */
export function whatIsIn({ documents, deleted, files }: { documents: number; deleted: number; files: number }): string {
  const parts = [counted(documents, 'document')]
  if (deleted > 0) parts.push(`${deleted} deleted`)
  if (files > 0) parts.push(counted(files, 'file'))
  return parts.join(', ')
}
