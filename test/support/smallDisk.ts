import { spawnSync } from 'node:child_process'
import { open, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { testFolder } from './testServer.ts'

/** Whether this process may mount file systems. */
export const canMount = process.getuid?.() === 0

/** A real file system of a few bytes, that can be filled and emptied. Root only. */
export class SmallDisk {
  readonly folder: string
  readonly #filler: string

  private constructor(folder: string) {
    this.folder = folder
    this.#filler = join(folder, 'filler')
  }

  /** Gone after the test. */
  static async mount(mebibytes: number): Promise<SmallDisk> {
    const folder = await testFolder()
    run('mount', '-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'weft-test', folder)
    onTestFinished(() => run('umount', '-l', folder))
    return new SmallDisk(folder)
  }

  /** Takes all space that is left. @param leaveBytes but for so much */
  async fill(leaveBytes = 0): Promise<void> {
    const file = await open(this.#filler, 'a')
    try {
      if (leaveBytes > 0) {
        const { bavail, bsize } = await statfs(this.folder)
        await file.write(Buffer.alloc(Math.max(0, bavail * bsize - leaveBytes)))
        return
      }
      for (let size = 1 << 20; size > 0; size >>= 1) {
        const block = Buffer.alloc(size)
        while (await file.write(block).then(({ bytesWritten }) => bytesWritten === size, isFull)) {}
      }
    } finally {
      await file.close()
    }
  }

  resize(mebibytes: number): void {
    run('mount', '-o', `remount,size=${mebibytes}m`, this.folder)
  }

  async empty(): Promise<void> {
    await rm(this.#filler)
  }
}

function isFull(error: NodeJS.ErrnoException): false {
  if (error.code !== 'ENOSPC') throw error
  return false
}

function run(program: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`)
}
