import { simpleDiffString } from 'lib0/diff'

/** Indexes into two sequences that belong together, both ascending. */
export type Pair = [a: number, b: number]

/** Occurrences of one key that are tried as partners. Thousands of equal blanks would otherwise cost their square. */
const maxCandidates = 64

/** A longest common subsequence (Hunt and Szymanski), as pairs. Of keys with very many occurrences only near ones are tried. */
export const commonSubsequence = (a: readonly string[], b: readonly string[]): Pair[] => {
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) start++
  let aEnd = a.length
  let bEnd = b.length
  while (aEnd > start && bEnd > start && a[aEnd - 1] === b[bEnd - 1]) {
    aEnd--
    bEnd--
  }
  const pairs: Pair[] = []
  for (let index = 0; index < start; index++) pairs.push([index, index])

  const places = new Map<string, number[]>()
  for (let j = start; j < bEnd; j++) {
    const key = b[j] as string
    const found = places.get(key)
    if (found) found.push(j)
    else places.set(key, [j])
  }
  type Link = { pair: Pair; previous: Link | undefined }
  const tails: Link[] = []
  const seen = new Map<string, number>()
  for (let i = start; i < aEnd; i++) {
    const key = a[i] as string
    let candidates = places.get(key) ?? []
    const rank = seen.get(key) ?? 0
    seen.set(key, rank + 1)
    if (candidates.length > maxCandidates) {
      const first = Math.min(Math.max(0, rank - maxCandidates / 2), candidates.length - maxCandidates)
      candidates = candidates.slice(first, first + maxCandidates)
    }
    for (const j of candidates.toReversed()) {
      let low = 0
      let high = tails.length
      while (low < high) {
        const middle = (low + high) >> 1
        if ((tails[middle] as Link).pair[1] < j) low = middle + 1
        else high = middle
      }
      tails[low] = { pair: [i, j], previous: tails[low - 1] }
    }
  }
  const middle: Pair[] = []
  for (let link = tails.at(-1); link; link = link.previous) middle.push(link.pair)
  pairs.push(...middle.reverse())

  for (let offset = 0; offset < a.length - aEnd; offset++) pairs.push([aEnd + offset, bEnd + offset])
  return pairs
}

/** Cells of the alignment's table, above which neighbours are paired in order instead. */
const maxCells = 250_000

/**
 * Pairs entries of two sequences in order so that the sum of `score` is greatest; a pair of score 0 is never made.
 * @param n length of the first sequence
 * @param m length of the second
 */
export const align = (n: number, m: number, score: (a: number, b: number) => number): Pair[] => {
  const pairs: Pair[] = []
  if (n * m > maxCells) {
    for (let a = 0, b = 0; a < n && b < m; a++) if (score(a, b) > 0) pairs.push([a, b++])
    return pairs
  }
  const width = m + 1
  const best = new Float64Array((n + 1) * width)
  const scores = new Float64Array(n * m)
  const at = (a: number, b: number) => best[a * width + b] ?? 0
  for (let a = n - 1; a >= 0; a--) {
    for (let b = m - 1; b >= 0; b--) {
      const gain = score(a, b)
      scores[a * m + b] = gain
      best[a * width + b] = Math.max(at(a + 1, b), at(a, b + 1), gain > 0 ? gain + at(a + 1, b + 1) : 0)
    }
  }
  for (let a = 0, b = 0; a < n && b < m; ) {
    const gain = scores[a * m + b] ?? 0
    if (gain > 0 && at(a, b) === gain + at(a + 1, b + 1)) pairs.push([a++, b++])
    else if (at(a, b) === at(a + 1, b)) a++
    else b++
  }
  return pairs
}

/** At `index` of the old text, `remove` UTF-16 units are replaced by `insert`. */
export interface TextChange {
  index: number
  remove: number
  insert: string
}

const tokens = (text: string): string[] => text.match(/[\p{L}\p{N}\p{M}_]+|\s+|./gsu) ?? []

/** What turns `before` into `after`: words that stay are not touched, within a changed stretch equal ends are not. */
export const diffText = (before: string, after: string): TextChange[] => {
  const a = tokens(before)
  const b = tokens(after)
  const changes: TextChange[] = []
  let index = 0
  let aDone = 0
  let bDone = 0
  for (const [i, j] of [...commonSubsequence(a, b), [a.length, b.length] as Pair]) {
    const old = a.slice(aDone, i).join('')
    const wanted = b.slice(bDone, j).join('')
    if (old !== wanted) {
      const change = simpleDiffString(old, wanted)
      changes.push({ ...change, index: index + change.index })
    }
    index += old.length + (a[i]?.length ?? 0)
    aDone = i + 1
    bDone = j + 1
  }
  return changes
}

/** How alike two texts are: shared words, 0 … 1 (Dice's coefficient). Two empty texts are alike. */
export const similarity = (a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number => {
  let shared = 0
  let total = 0
  for (const [word, count] of a) {
    shared += Math.min(count, b.get(word) ?? 0)
    total += count
  }
  for (const count of b.values()) total += count
  return total === 0 ? 1 : (2 * shared) / total
}

/** The words of a text, each with how often it occurs. */
export const countWords = (text: string): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const word of text.match(/[\p{L}\p{N}\p{M}_]+/gu) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}
