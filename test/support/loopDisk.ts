import { spawnSync } from 'node:child_process'
import { copyFile, mkdir, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { testFolder } from './testServer.ts'

/** A real file system (ext4) on a file: it can be frozen, and its file copied as a disk is when the power fails. Root only. */
export class LoopDisk {
  /** Where it is mounted. */
  readonly folder: string
  readonly #image: string

  private constructor(folder: string, image: string) {
    this.folder = folder
    this.#image = image
  }

  /** @returns why it can't be made on this machine; null: it can */
  static reason(): string | null {
    if (process.getuid?.() !== 0) return 'only root can mount a file system'
    for (const program of ['mkfs.ext4', 'losetup', 'fsfreeze']) {
      if (spawnSync('which', [program]).status !== 0) return `${program} is missing`
    }
    const { status, stderr } = spawnSync('losetup', ['-f'], { encoding: 'utf8' })
    return status === 0 ? null : `there are no loop devices: ${stderr.trim()}`
  }

  /** Gone after the test. */
  static async make(mebibytes: number): Promise<LoopDisk> {
    const folder = await testFolder()
    const image = join(folder, 'image')
    await writeFile(image, '')
    await truncate(image, mebibytes << 20)
    run('mkfs.ext4', '-q', image)
    return LoopDisk.#mount(folder, image)
  }

  static async #mount(folder: string, image: string): Promise<LoopDisk> {
    const place = join(folder, 'disk')
    await mkdir(place)
    run('mount', '-o', 'loop', image, place)
    onTestFinished(() => {
      spawnSync('fsfreeze', ['-u', place])
      run('umount', '-l', place)
    })
    return new LoopDisk(place, image)
  }

  /** Every write waits from now on, as on a disk that doesn't answer. */
  freeze(): void {
    run('fsfreeze', '-f', this.folder)
  }

  thaw(): void {
    run('fsfreeze', '-u', this.folder)
  }

  /** The disk as it would be after a loss of power: what was never synced is in the system's memory alone. */
  async afterPowerCut(): Promise<LoopDisk> {
    const folder = await testFolder()
    const image = join(folder, 'image')
    await copyFile(this.#image, image)
    return LoopDisk.#mount(folder, image)
  }
}

function run(program: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`)
}
