import type { Transform } from '@tiptap/pm/transform'
import { diffText, type Pair, type TextChange } from './sequence.ts'

/** A stretch of an old document that a new one still has: `length` ProseMirror tokens from `before`, now from `after`. */
export interface KeptRange {
  readonly before: number
  readonly after: number
  readonly length: number
}

/** What of `kept` was within `[from, to)` and is within `[newFrom, newTo)`, counted from there. */
export const clipKept = (
  kept: readonly KeptRange[],
  [from, to]: readonly [number, number],
  [newFrom, newTo]: readonly [number, number],
): KeptRange[] =>
  kept.flatMap(({ before, after, length }) => {
    const skipped = Math.max(0, from - before, newFrom - after)
    const left = Math.min(length, to - before, newTo - after) - skipped
    return left > 0 ? [{ before: before + skipped - from, after: after + skipped - newFrom, length: left }] : []
  })

/** What a transform has left of the document that it began with, in order. What a step writes anew is not kept. */
export const keptRanges = (transform: Transform): KeptRange[] => {
  let kept: KeptRange[] = [{ before: 0, after: 0, length: transform.before.content.size }]
  for (const map of transform.mapping.maps) {
    const next: KeptRange[] = []
    let from = 0
    let newFrom = 0
    const passOn = (to: number) => {
      for (const range of clipKept(kept, [0, Infinity], [from, to])) {
        next.push({ ...range, after: range.after + newFrom })
      }
    }
    map.forEach((oldStart, oldEnd, _newStart, newEnd) => {
      passOn(oldStart)
      from = oldEnd
      newFrom = newEnd
    })
    passOn(Infinity)
    kept = next
  }
  return kept
}

/**
 * Pairs two lists of siblings by what was kept: each pair shares some of it, and all pairs together share as much as they can.
 * @param kept positions count from the start of the first sibling
 * @param ends where each old sibling ends
 * @param newEnds where each new one ends
 * @param canPair whether an old one can become a new one
 */
export const pairKept = (
  kept: readonly KeptRange[],
  ends: readonly number[],
  newEnds: readonly number[],
  canPair: (a: number, b: number) => boolean,
): Pair[] => {
  const candidates: { pair: Pair; shared: number }[] = []
  let a = 0
  let b = 0
  for (const { before, after, length } of kept) {
    for (let done = 0; done < length; ) {
      while ((ends[a] ?? Infinity) <= before + done) a++
      while ((newEnds[b] ?? Infinity) <= after + done) b++
      const shared = Math.min(length, (ends[a] ?? Infinity) - before, (newEnds[b] ?? Infinity) - after) - done
      const last = candidates.at(-1)
      if (last?.pair[0] === a && last.pair[1] === b) last.shared += shared
      else if (canPair(a, b)) candidates.push({ pair: [a, b], shared })
      done += shared
    }
  }
  // What is kept never changes its order, so both indexes only rise from one candidate to the next.
  const best: { shared: number; pairs: Link | null }[] = []
  candidates.forEach(({ pair, shared }, index) => {
    let previous = index - 1
    while (previous >= 0 && !isBefore(candidates[previous]?.pair, pair)) previous--
    const taken = shared + (best[previous]?.shared ?? 0)
    const without = best[index - 1]
    best.push(
      without && without.shared >= taken
        ? without
        : { shared: taken, pairs: { pair, previous: best[previous]?.pairs ?? null } },
    )
  })
  const pairs: Pair[] = []
  for (let link = best.at(-1)?.pairs ?? null; link; link = link.previous) pairs.push(link.pair)
  return pairs.reverse()
}

interface Link {
  readonly pair: Pair
  readonly previous: Link | null
}

const isBefore = (first: Pair | undefined, second: Pair): boolean =>
  first !== undefined && first[0] < second[0] && first[1] < second[1]

/** Without the half of a character (UTF-16) of which the other half may not be kept: Yjs writes U+FFFD for both if one goes. */
const withoutHalves = ({ before, after, length }: KeptRange, text: string): KeptRange => {
  const first = /[\udc00-\udfff]/.test(text.charAt(before)) ? 1 : 0
  const last = length > first && /[\ud800-\udbff]/.test(text.charAt(before + length - 1)) ? 1 : 0
  return { before: before + first, after: after + first, length: length - first - last }
}

/** What turns `before` into `after`: what was kept is not touched, between it words that stay are not. */
export const diffAround = (kept: readonly KeptRange[], before: string, after: string): TextChange[] => {
  const changes: TextChange[] = []
  let from = 0
  let newFrom = 0
  const whole = kept.map(range => withoutHalves(range, before))
  for (const range of [...whole, { before: before.length, after: after.length, length: 0 }]) {
    for (const change of diffText(before.slice(from, range.before), after.slice(newFrom, range.after))) {
      changes.push({ ...change, index: from + change.index })
    }
    from = range.before + range.length
    newFrom = range.after + range.length
  }
  return changes
}
