import * as Y from 'yjs'
import { diffText } from './sequence.ts'
import { isTextblock, lineElements } from './textOf.ts'

/** A difference between two states of `textOf`. */
export interface TextDifference {
  /** Where it is, with all differences before it applied. UTF-16 units. */
  readonly at: number
  /** What stood there. */
  readonly deleted: string
  /** What stands there instead. */
  readonly inserted: string
  /** The Yjs client that inserted it; null where nothing was inserted. */
  readonly clientID: number | null
}

/** Characters that one client has written in a row: the first has the id `clock`, the next one `clock + 1` … */
interface Run {
  readonly client: number
  readonly clock: number
  readonly string: string
}

interface Line {
  readonly element: Y.XmlElement
  readonly runs: readonly Run[]
  readonly length: number
}

/** Blocks of text that are remembered as changed; above it all are read again. */
const MAX_DIRTY = 1_000

/**
 * Tells how the text of a shared document (`textOf`) has changed since it was last asked, and who inserted what: Yjs keeps
 * that with every character. Who deleted, it keeps nowhere.
 *
 * [T1] It holds the text as it was last read, with the ids of its characters; of what happened since, which blocks to read again.
 * [T2] A character is the same one as before if its id is: Yjs never changes the order of characters, nor moves one into
 *      another block. One that was written anew with the same text (its block was split, say) is no difference.
 */
export class TextTracker {
  readonly #fragment: Y.XmlFragment
  /** [T1] */
  #lines: readonly Line[]
  #elements: Set<unknown>
  /** The clock of each client when the text was read: characters from there on are new. */
  #clocks: ReadonlyMap<number, number>
  readonly #dirty = new Set<Y.XmlElement>()
  /** Blocks of text have come or gone. */
  #isRearranged = false
  #isAllDirty = false

  constructor(fragment: Y.XmlFragment) {
    this.#fragment = fragment
    this.#lines = lineElements(fragment).map(readLine)
    this.#elements = new Set(this.#lines.map(({ element }) => element))
    this.#clocks = clocksOf(fragment)
  }

  /**
   * Takes note of what a transaction has changed; call it after each one, in Yjs's `afterTransaction`.
   * @returns whether the text may have changed.
   */
  note({ changed, changedParentTypes }: Y.Transaction): boolean {
    let isText = false
    // `never`: in Yjs's declarations a fragment is not one of its types.
    for (const { target } of changedParentTypes.get(this.#fragment as never) ?? []) {
      // Attributes are no text.
      if (changed.get(target)?.has(null) !== true) continue
      isText = true
      const element: unknown = target instanceof Y.XmlText ? target.parent : target
      const isLine = element instanceof Y.XmlElement && this.#elements.has(element)
      if (isLine && (target instanceof Y.XmlText || isTextblock(element))) this.#dirty.add(element)
      else this.#isRearranged = true
    }
    if (this.#dirty.size > MAX_DIRTY) {
      this.#dirty.clear()
      this.#isAllDirty = true
    }
    return isText
  }

  /** What has changed since the last call, or since this was made, in order. Not within a transaction. */
  read(): TextDifference[] {
    const before = this.#lines
    const after = this.#readLines()
    const differences = this.#compare(before, after)
    this.#lines = after
    if (this.#isRearranged) this.#elements = new Set(after.map(({ element }) => element))
    this.#clocks = clocksOf(this.#fragment)
    this.#dirty.clear()
    this.#isRearranged = false
    this.#isAllDirty = false
    return differences
  }

  #readLines(): readonly Line[] {
    const isDirty = (element: Y.XmlElement) => this.#isAllDirty || this.#dirty.has(element)
    if (!this.#isRearranged) return this.#lines.map(line => (isDirty(line.element) ? readLine(line.element) : line))
    const clean = new Map(this.#lines.filter(({ element }) => !isDirty(element)).map(line => [line.element, line]))
    return lineElements(this.#fragment).map(element => clean.get(element) ?? readLine(element))
  }

  #compare(before: readonly Line[], after: readonly Line[]): TextDifference[] {
    const text = new Comparison()
    const indexes = this.#isRearranged ? new Map(before.map(({ element }, index) => [element, index])) : null
    let next = 0
    const passDeleted = (end: number) => {
      for (; next < end; next++) {
        if (next > 0) text.delete('\n')
        for (const { string } of before[next]?.runs ?? []) text.delete(string)
      }
    }
    for (const [index, line] of after.entries()) {
      const same = indexes === null ? index : indexes.get(line.element)
      const old = same !== undefined && same >= next ? before[same] : undefined
      if (same === undefined || old === undefined) {
        if (index > 0) text.insert('\n', clientOf(line.element))
        for (const { client, string } of line.runs) text.insert(string, client)
        continue
      }
      passDeleted(same)
      // The line end before it. It is new where the first line has one before it now, and then somebody has made that.
      if (next > 0 && index > 0) text.keep(1)
      else if (next > 0) text.delete('\n')
      else if (index > 0) text.insert('\n', clientOf(after[index - 1]?.element ?? line.element))
      if (old === line) text.keep(line.length)
      else this.#compareRuns(old.runs, line.runs, text)
      next = same + 1
    }
    passDeleted(before.length)
    return text.end()
  }

  /** Walks through one block's characters as they were and as they are. [T2] */
  #compareRuns(before: readonly Run[], after: readonly Run[], text: Comparison): void {
    const old = new RunReader(before)
    const now = new RunReader(after)
    while (now.left > 0) {
      const isNew = now.clock >= (this.#clocks.get(now.client) ?? 0)
      if (isNew || old.left === 0) {
        const { client } = now
        text.insert(now.take(now.left), client)
      } else if (old.client === now.client && old.clock === now.clock) {
        const { client } = now
        const length = Math.min(old.left, now.left)
        const [was, is] = [old.take(length), now.take(length)]
        // Yjs puts U+FFFD for the halves of a character that somebody has written into.
        if (was === is) text.keep(length)
        else {
          text.delete(was)
          text.insert(is, client)
        }
      } else {
        const isAhead = old.client === now.client && now.clock > old.clock
        text.delete(old.take(isAhead ? Math.min(old.left, now.clock - old.clock) : old.left))
      }
    }
    while (old.left > 0) text.delete(old.take(old.left))
  }
}

/** A place in runs. */
class RunReader {
  readonly #runs: readonly Run[]
  #index = 0
  #offset = 0

  constructor(runs: readonly Run[]) {
    this.#runs = runs
  }

  /** What is left of the run; 0 at the end of the last one. */
  get left(): number {
    return (this.#runs[this.#index]?.string.length ?? 0) - this.#offset
  }

  get client(): number {
    return this.#runs[this.#index]?.client ?? 0
  }

  get clock(): number {
    return (this.#runs[this.#index]?.clock ?? 0) + this.#offset
  }

  /** @param length at most `left` */
  take(length: number): string {
    const { string = '' } = this.#runs[this.#index] ?? {}
    const taken = string.slice(this.#offset, this.#offset + length)
    this.#offset += length
    if (this.#offset === string.length) {
      this.#index++
      this.#offset = 0
    }
    return taken
  }
}

/** Makes differences of what was kept, deleted and inserted. */
class Comparison {
  readonly #differences: TextDifference[] = []
  #at = 0
  /** Since what was kept last. */
  #deleted = ''
  #inserted: { string: string; client: number }[] = []

  keep(length: number): void {
    if (length === 0) return
    this.#compareStretch()
    this.#at += length
  }

  delete(string: string): void {
    this.#deleted += string
  }

  insert(string: string, client: number): void {
    if (string === '') return
    const last = this.#inserted.at(-1)
    if (last?.client === client) last.string += string
    else this.#inserted.push({ string, client })
  }

  end(): TextDifference[] {
    this.#compareStretch()
    return this.#differences
  }

  #compareStretch(): void {
    if (this.#deleted === '' && this.#inserted.length === 0) return
    const inserted = this.#inserted.map(({ string }) => string).join('')
    let done = 0
    let insertedDone = 0
    for (const { index, remove, insert } of diffText(this.#deleted, inserted)) {
      this.#at += index - done
      insertedDone += index - done
      const [first, ...others] = cut(this.#inserted, insertedDone, insertedDone + insert.length)
      this.#tell(this.#deleted.slice(index, index + remove), first)
      for (const other of others) this.#tell('', other)
      done = index + remove
      insertedDone += insert.length
    }
    this.#at += this.#deleted.length - done
    this.#deleted = ''
    this.#inserted = []
  }

  #tell(deleted: string, inserted: { string: string; client: number } | undefined): void {
    const { string = '', client = null } = inserted ?? {}
    this.#differences.push({ at: this.#at, deleted, inserted: string, clientID: client })
    this.#at += string.length
  }
}

/** The pieces of `[from, to)`. */
const cut = <Piece extends { string: string }>(pieces: readonly Piece[], from: number, to: number): Piece[] => {
  let start = 0
  return pieces.flatMap(piece => {
    const string = piece.string.slice(Math.max(0, from - start), Math.max(0, to - start))
    start += piece.string.length
    return string === '' ? [] : [{ ...piece, string }]
  })
}

const clocksOf = ({ doc }: Y.XmlFragment): Map<number, number> =>
  doc ? Y.decodeStateVector(Y.encodeStateVector(doc)) : new Map()

const clientOf = (element: Y.XmlElement): number => element._item?.id.client ?? 0

/** The characters of a block of text: those of its `textOf`. */
const readLine = (element: Y.XmlElement): Line => {
  const runs: Run[] = []
  for (const child of element.toArray() as unknown[]) {
    if (child instanceof Y.XmlText) {
      for (let item = child._start; item !== null; item = item.right) {
        if (item.deleted || !(item.content instanceof Y.ContentString)) continue
        runs.push({ client: item.id.client, clock: item.id.clock, string: item.content.str })
      }
    } else if (child instanceof Y.XmlElement && child.nodeName === 'hardBreak' && child._item) {
      runs.push({ client: child._item.id.client, clock: child._item.id.clock, string: '\n' })
    }
  }
  return { element, runs, length: runs.reduce((length, { string }) => length + string.length, 0) }
}
