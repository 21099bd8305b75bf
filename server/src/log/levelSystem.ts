import { randomBytes } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import leveldown, { type Leveldown } from 'leveldown'
import { checkLevelFiles } from './checkLevelFiles.ts'
import { type FolderContent, finishFirstStart, measureFolder, prepareFolder, probeWrite } from './storeFolder.ts'

/** All that a log has from outside: LevelDB, the folder, time and randomness. A simulation gives it another world. */
export interface LevelSystem {
  /** A handle on a store; nothing is opened yet. */
  createHandle(path: string): Leveldown
  /** The folder's own path, behind links. */
  realpath(folder: string): Promise<string>
  /** As in `storeFolder.ts`. */
  prepareFolder(folder: string, create: boolean): Promise<FolderContent>
  finishFirstStart(folder: string): Promise<void>
  probeWrite(folder: string, bytes: number): Promise<void>
  measureFolder(folder: string): Promise<{ bytes: number; logBytes: number; freeBytes: number }>
  /** As `checkLevelFiles`. */
  checkFiles(folder: string, checkedTableBytes: number): Promise<string[]>
  /** ms since the epoch. */
  wallTime(): number
  randomBytes(count: number): Buffer
}

export const levelSystem: LevelSystem = {
  createHandle: leveldown,
  realpath: folder => realpath(folder),
  prepareFolder,
  finishFirstStart,
  probeWrite,
  measureFolder,
  checkFiles: checkLevelFiles,
  wallTime: () => Date.now(),
  randomBytes,
}
