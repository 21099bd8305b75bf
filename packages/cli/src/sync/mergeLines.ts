import { commonSubsequence, fromMarkdown } from '@weft/schema'

/** Lines of one side that replace lines `from` … `to` of the base. */
interface Hunk {
  readonly from: number
  readonly to: number
  readonly lines: readonly string[]
}

function hunksOf(base: readonly string[], side: readonly string[]): Hunk[] {
  const hunks: Hunk[] = []
  let [a, b] = [0, 0]
  for (const [nextA, nextB] of [...commonSubsequence(base, side), [base.length, side.length] as const]) {
    if (nextA > a || nextB > b) hunks.push({ from: a, to: nextA, lines: side.slice(b, nextB) })
    a = nextA + 1
    b = nextB + 1
  }
  return hunks
}

/**
 * Writes a document's new Markdown so that a file keeps the way in which its author had formatted what did not change
 * (`*` for bullets, wrapped lines …).
 * @param canonical the document before, as `toMarkdown` wrote it
 * @param own the same document, as its author formatted it
 * @param next the document now, as `toMarkdown` writes it
 * @returns text that reads as the same document as `next`
 */
export function keepFormatting(canonical: string, own: string, next: string): string {
  if (canonical === own || own === '') return next
  const merged = mergeLines(canonical.split('\n'), own.split('\n'), next.split('\n')).join('\n')
  return fromMarkdown(merged).eq(fromMarkdown(next)) ? merged : next
}

/** Where both sides changed the same lines, those of `next` count. */
function mergeLines(base: readonly string[], own: readonly string[], next: readonly string[]): string[] {
  const changes = hunksOf(base, next)
  const isTouched = ({ from, to }: Hunk) =>
    changes.some(change =>
      change.from === change.to ? from < change.from && change.from < to : overlaps(change, from, to),
    )
  const kept = hunksOf(base, own).filter(hunk => !isTouched(hunk))
  const merged: string[] = []
  let done = 0
  for (const { from, to, lines } of [...changes, ...kept].sort((a, b) => a.from - b.from || a.to - b.to)) {
    merged.push(...base.slice(done, from), ...lines)
    done = to
  }
  merged.push(...base.slice(done))
  return merged
}

function overlaps(change: Hunk, from: number, to: number): boolean {
  return from === to ? change.from < from && from < change.to : change.from < to && from < change.to
}

/** The words that `b` has more often than `a`. */
function added(a: string, b: string): string[] {
  const counts = new Map<string, number>()
  for (const word of wordsOf(a)) counts.set(word, (counts.get(word) ?? 0) + 1)
  return wordsOf(b).filter(word => {
    const count = counts.get(word) ?? 0
    counts.set(word, count - 1)
    return count <= 0
  })
}

function wordsOf(text: string): readonly string[] {
  return text.match(/[\p{L}\p{N}\p{M}_]+/gu) ?? []
}

/** Whether half of the words at least are among the others. */
function areMostly(words: readonly string[], others: readonly string[]): boolean {
  const set = new Set(others)
  return words.filter(word => set.has(word)).length * 2 >= words.length
}

/**
 * Whether a text was made by somebody who had seen how `older` became `newer`: it has most of the words that came, or, where
 * none came, lacks most of those that went.
 */
export function showsChange(older: string, newer: string, text: string): boolean {
  const came = added(older, newer)
  return came.length > 0 ? areMostly(came, added(older, text)) : areMostly(added(newer, older), added(text, older))
}
