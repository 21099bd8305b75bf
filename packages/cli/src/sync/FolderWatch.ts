import { type FSWatcher, watch } from 'node:fs'

/**
 * Tells that something may have happened in folders. It only makes the next look come sooner: events get lost (a folder made
 * anew, network file systems, the system's limit of watches), so whoever uses it looks from time to time anyway.
 */
export class FolderWatch {
  readonly #tell: () => void
  readonly #watchers = new Map<string, FSWatcher>()

  constructor(tell: () => void) {
    this.#tell = tell
  }

  /** From now on these folders, and no others. */
  watch(folders: ReadonlySet<string>): void {
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue
      watcher.close()
      this.#watchers.delete(folder)
    }
    for (const folder of folders) if (!this.#watchers.has(folder)) this.#begin(folder)
  }

  close(): void {
    this.watch(new Set())
  }

  #begin(folder: string): void {
    try {
      const watcher = watch(folder, () => this.#tell())
      this.#watchers.set(folder, watcher)
      // A folder that is gone, say. It is watched anew when it is asked for again.
      watcher.on('error', () => {
        watcher.close()
        this.#watchers.delete(folder)
      })
    } catch {
      // Not there, or no watch left: the looks from time to time must do.
    }
  }
}
