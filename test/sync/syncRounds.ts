import { readFileSync } from 'node:fs'
import type { WeftDocument } from '@weft/client'
import { fragmentOf, toMarkdown } from '@weft/client/text'
import { fromMarkdown } from '@weft/schema'
import { expect } from 'vitest'
import * as Y from 'yjs'
import type { Random } from '../crdt/Random.ts'
import { eventually } from '../support/eventually.ts'
import type { ServerProcess } from '../support/ServerProcess.ts'
import { type SavePattern, SimulatedEditor, savePatterns } from './SimulatedEditor.ts'
import { readText, SyncProcess } from './SyncProcess.ts'

/** Lines that a document may have before some are deleted. */
const MAX_LINES = 30

/** What became of the words that were written: each once. */
class Words {
  readonly #deleted = new Map<string, boolean>()
  #count = 0

  next(author: 'e' | 'c'): string {
    const word = `${author}${this.#count++}`
    this.#deleted.set(word, false)
    return word
  }

  delete(words: readonly string[]): void {
    for (const word of words) this.#deleted.set(word, true)
  }

  /** Everything that nobody deleted is there, and nothing is there twice. */
  check(text: string, where: string): void {
    const counts = new Map<string, number>()
    for (const word of text.match(/[ec]\d+/g) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1)
    const wrong = [...this.#deleted].filter(([word, isDeleted]) => {
      const count = counts.get(word) ?? 0
      return count > 1 || (count === 0 && !isDeleted)
    })
    if (wrong.length === 0) return
    const told = wrong.map(
      ([word, isDeleted]) => `${word}${isDeleted ? ' (deleted)' : ''} ${counts.get(word) ?? 0} times`,
    )
    throw new Error(`in ${where}: ${told.join(', ')}\n${text}`)
  }
}

/** Somebody else in the document. */
class Writer {
  readonly #document: WeftDocument
  readonly #random: Random

  constructor(document: WeftDocument, random: Random) {
    this.#document = document
    this.#random = random
  }

  get lines(): string[] {
    return this.#blocks().map(block => textOfBlock(block))
  }

  #blocks(): Y.XmlElement[] {
    return fragmentOf(this.#document).toArray() as Y.XmlElement[]
  }

  insert(word: string): void {
    const block = new Y.XmlElement('paragraph')
    block.insert(0, [new Y.XmlText(word)])
    const fragment = fragmentOf(this.#document)
    fragment.insert(this.#random.below(fragment.length + 1), [block])
  }

  /** A word at the end of a line of its own kind: the file may delete its own lines at any moment. */
  extend(word: string): boolean {
    const blocks = this.#blocks().filter(block => textOfBlock(block).startsWith('c'))
    if (blocks.length === 0) return false
    const text = this.#random.pick(blocks).get(0) as Y.XmlText
    text.insert(text.length, ` ${word}`)
    return true
  }

  remove(): string[] {
    const blocks = this.#blocks()
    if (blocks.length === 0) return []
    const index = this.#random.below(blocks.length)
    const words = textOfBlock(blocks[index] as Y.XmlElement).split(' ')
    fragmentOf(this.#document).delete(index, 1)
    return words
  }
}

function textOfBlock(block: Y.XmlElement): string {
  return block
    .toArray()
    .map(text => (text as Y.XmlText).toString())
    .join('')
}

/**
 * Rounds in which an editor and somebody in the document write at the same time, while `weft sync` and the server are killed
 * and started again. After each, file and document are the same, with everything that was written and nothing twice.
 * @param file to be synced with `document`, which another client has open
 * @returns how often what was done
 */
export async function syncRounds(
  roundCount: number,
  random: Random,
  server: ServerProcess,
  document: WeftDocument,
  file: string,
  stateHome: string,
): Promise<Record<string, number>> {
  const words = new Words()
  const done: Record<string, number> = {}
  /** What was done in the round, to be told when it fails. */
  let steps: string[] = []
  const count = (what: string) => {
    done[what] = (done[what] ?? 0) + 1
    steps.push(what)
  }
  const deleted = (by: string, gone: readonly string[]) => {
    words.delete(gone)
    steps.push(`${by} deletes ${gone}`)
  }
  const next = (author: 'e' | 'c') => {
    const word = words.next(author)
    steps.push(word)
    return word
  }
  const start = () => new SyncProcess(server.url, stateHome, file, document.documentId)
  const writer = new Writer(document, random)
  const editor = new SimulatedEditor(file, random)
  writer.insert(words.next('c'))
  let sync = start()
  await eventually('the file', () => readText(file) !== null)
  const write = () => {
    const kind = random.below(10)
    const isFull = writer.lines.length > MAX_LINES
    if (kind < (isFull ? 6 : 2)) deleted('client', writer.remove())
    else if (kind < 6 && writer.lines.some(line => line.startsWith('c'))) writer.extend(next('c'))
    else writer.insert(next('c'))
  }
  const edit = () => {
    const kind = random.below(10)
    if (kind < (writer.lines.length > MAX_LINES ? 6 : 2))
      deleted(
        'editor',
        editor.remove(word => word.startsWith('e')),
      )
    else if (kind < 6) {
      const word = next('e')
      if (!editor.extend(word)) editor.insert(word)
    } else editor.insert(next('e'))
  }
  const history = () =>
    `${steps.join('; ')}\nevents: ${sync.events.map(e => `${e.event} ${e.message ?? ''}`).join('; ')}`
  for (let round = 0; round < roundCount; round++) {
    editor.load()
    steps = [`loaded ${JSON.stringify(readText(file))}`]
    const from = sync.events.length
    for (let step = 1 + random.below(5); step > 0; step--) {
      const kind = random.below(20)
      if (kind < 8) {
        write()
        // The file is rewritten under the editor, which doesn't load it.
        if (random.chance(0.3) && (await isRewritten(sync, from))) count('rewritten under the editor')
      } else if (kind < 16) {
        const pattern = random.pick(Object.keys(savePatterns)) as SavePattern
        for (let edits = 1 + random.below(3); edits > 0; edits--) edit()
        if (random.chance(0.5)) write()
        await editor.save(pattern)
        count(pattern)
        if (random.chance(0.3)) write()
      } else if (kind < 18) {
        await sync.kill()
        if (random.chance(0.5)) write()
        sync = start()
        count('sync killed')
      } else if (kind < 19) {
        await server.kill()
        if (random.chance(0.5)) write()
        await server.start()
        document.reconnect()
        count('server killed')
      }
    }
    await document.saved()
    let markdown = ''
    await eventually(`round ${round}: file and document to converge`, () => {
      const text = readText(file)
      markdown = toMarkdown(document)
      return text !== null && fromMarkdown(text).eq(fromMarkdown(markdown))
    }).catch(error => {
      throw new Error(`${error.message}\nfile:\n${readText(file)}\ndocument:\n${markdown}\n${history()}`)
    })
    try {
      words.check(markdown, `the document after round ${round}`)
      words.check(readFileSync(file, 'utf8'), `the file after round ${round}`)
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}\n${history()}`)
    }
  }
  const { code, signal } = await sync.stop()
  // One that has only just been started doesn't hear signals yet.
  expect(code ?? signal).toBe(code === null ? 'SIGINT' : 130)
  return done
}

/** Waits for the file to be written anew, unless it is known that it won't be. */
async function isRewritten(sync: SyncProcess, from: number): Promise<boolean> {
  return eventually(
    'a written file',
    () => sync.events.slice(from).some(({ event }) => event === 'written'),
    3_000,
  ).catch(() => false)
}
