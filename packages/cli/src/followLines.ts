import type { WeftDocument } from '@weft/client'
import { changes, textOf } from '@weft/client/text'
import { commonSubsequence } from '@weft/schema'

/** Lines that have changed next to each other. */
export interface LineChange {
  /** Where they begin in the text as it is now, from 1. */
  readonly line: number
  readonly removed: readonly string[]
  readonly inserted: readonly string[]
  /** Names of those who wrote meanwhile, as far as they are known: who only deletes isn't. */
  readonly by: readonly string[]
}

/** Changes that come within so many ms are told as one. */
const PAUSE_MS = 500

/** Tells how a document's text changes, line by line, until it is closed. Resolves when all that came before is told. */
export async function followLines(document: WeftDocument, tell: (change: LineChange) => void): Promise<void> {
  let lines = textOf(document).split('\n')
  let by = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  const flush = () => {
    timer = undefined
    const [before, names] = [lines, [...by]]
    lines = textOf(document).split('\n')
    by = new Set()
    for (const change of diffLines(before, lines)) tell({ ...change, by: names })
  }
  for await (const { insertedBy } of changes(document)) {
    if (insertedBy?.user) by.add(insertedBy.user.name)
    timer ??= setTimeout(flush, PAUSE_MS)
  }
  clearTimeout(timer)
  if (timer !== undefined) flush()
}

/** Where two texts differ, in order. */
export function diffLines(before: readonly string[], after: readonly string[]): Omit<LineChange, 'by'>[] {
  const changes: Omit<LineChange, 'by'>[] = []
  let [a, b] = [0, 0]
  for (const [nextA, nextB] of [...commonSubsequence(before, after), [before.length, after.length] as const]) {
    if (nextA > a || nextB > b) {
      changes.push({ line: b + 1, removed: before.slice(a, nextA), inserted: after.slice(b, nextB) })
    }
    a = nextA + 1
    b = nextB + 1
  }
  return changes
}
