import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { DocumentId } from '@weft/protocol'
import { LevelUpdateLog } from '../../../server/src/log/LevelUpdateLog.ts'

/** All files below a folder, bytes. A file that goes while we look counts for nothing. */
export function folderBytes(folder: string): number {
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(folder, entry.name)
    return sum + (entry.isDirectory() ? folderBytes(path) : (statSync(path, { throwIfNoEntry: false })?.size ?? 0))
  }, 0)
}

/** What Weft keeps of a document, bytes: snapshot, knowledge and entries. The server must not run. */
export async function weftLogicalBytes(folder: string, document: string): Promise<number> {
  const log = await openWeftLog(folder)
  try {
    const { snapshot, knowledge, entries } = await log.read(document as DocumentId)
    return entries.reduce((sum, { update }) => sum + update.length, (snapshot?.length ?? 0) + (knowledge?.length ?? 0))
  } finally {
    await log.close()
  }
}

/** The store that a Weft server on this bench folder uses. */
export function openWeftLog(folder: string): Promise<LevelUpdateLog> {
  return LevelUpdateLog.open({ folder: join(folder, 'weft'), create: true })
}
