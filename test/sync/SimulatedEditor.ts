import {
  chmodSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Random } from '../crdt/Random.ts'

/** How editors write a file. */
export const savePatterns = {
  /** A file beside, renamed over it: many editors, `sed -i`. */
  rename(file: string, text: string) {
    const beside = join(dirname(file), `.${basename(file)}.swp`)
    writeFileSync(beside, text)
    renameSync(beside, file)
  },
  /** Vim with `backupcopy=no`: for a moment there is no file. */
  backup(file: string, text: string) {
    renameSync(file, `${file}~`)
    writeFileSync(file, text)
    rmSync(`${file}~`)
  },
  /** Vim with `backupcopy=yes`, nano, VS Code: emptied, then written. */
  truncate(file: string, text: string) {
    writeFileSync(file, text)
  },
  /** The same by a slow writer, with time to look between. */
  async slowly(file: string, text: string) {
    const descriptor = openSync(file, 'r+')
    ftruncateSync(descriptor)
    await turn()
    const half = Buffer.byteLength(text) >> 1
    const bytes = Buffer.from(text)
    writeSync(descriptor, bytes.subarray(0, half))
    await turn()
    writeSync(descriptor, bytes.subarray(half))
    closeSync(descriptor)
  },
  /** Deleted and made again. */
  anew(file: string, text: string) {
    rmSync(file)
    writeFileSync(file, text)
  },
  /** With other rights afterwards. */
  chmod(file: string, text: string) {
    writeFileSync(file, text)
    chmodSync(file, 0o640)
  },
} as const

export type SavePattern = keyof typeof savePatterns

/** Some turns of the event loop: other processes run meanwhile, for a moment. */
async function turn(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise(resolve => setImmediate(resolve))
}

/** An editor with a file in its buffer. It doesn't notice what others write into the file, until it loads it again. */
export class SimulatedEditor {
  readonly #file: string
  readonly #random: Random
  #blocks: string[] = []

  constructor(file: string, random: Random) {
    this.#file = file
    this.#random = random
    mkdirSync(dirname(file), { recursive: true })
  }

  load(): void {
    this.#blocks = readFileSync(this.#file, 'utf8')
      .split(/\n\n+/)
      .map(block => block.trim())
      .filter(block => block !== '')
  }

  /** A line of its own, anywhere. */
  insert(word: string): void {
    this.#blocks.splice(this.#random.below(this.#blocks.length + 1), 0, word)
  }

  /** A word at the end of some line. @returns false: there is none */
  extend(word: string): boolean {
    if (this.#blocks.length === 0) return false
    const index = this.#random.below(this.#blocks.length)
    this.#blocks[index] = `${this.#blocks[index]} ${word}`
    return true
  }

  /** Deletes a line that has only such words. @returns them */
  remove(isMine: (word: string) => boolean): string[] {
    const candidates = [...this.#blocks.keys()].filter(index => this.#blocks[index]?.split(' ').every(isMine))
    if (candidates.length === 0) return []
    const [line = ''] = this.#blocks.splice(this.#random.pick(candidates), 1)
    return line.split(' ')
  }

  async save(pattern: SavePattern): Promise<void> {
    await savePatterns[pattern](this.#file, this.#blocks.map(block => `${block}\n`).join('\n'))
  }
}
