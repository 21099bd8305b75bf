/** Clocks of one client from `start` up to, not including, `end`. */
export interface ClockRange {
  readonly start: number
  readonly end: number
}

/**
 * Sorted, disjoint, never touching ranges of clocks in one flat array: `[start, end, start, end, …]`, ends exclusive.
 * A delete set of 30 000 ranges is one array of 60 000 numbers instead of as many objects.
 */
export type Ranges = readonly number[]

/**
 * Index (of its start) of the first range whose end is at or above `clock`, searching from the range at `from`:
 * steps double until they pass it, then halve, so that walking along costs as little as one far jump.
 */
function findFrom(ranges: Ranges, clock: number, from: number): number {
  let low = from
  let high = from
  let step = 2
  while (high < ranges.length && endAt(ranges, high) < clock) {
    low = high + 2
    high += step
    step *= 2
  }
  if (high > ranges.length) high = ranges.length
  while (low < high) {
    const middle = low + (((high - low) >> 2) << 1)
    if (endAt(ranges, middle) < clock) low = middle + 2
    else high = middle
  }
  return low
}

function startAt(ranges: Ranges, index: number): number {
  return ranges[index] as number
}

function endAt(ranges: Ranges, index: number): number {
  return ranges[index + 1] as number
}

/** Whether every clock of `inner` is in `outer`. */
export function coversRanges(outer: Ranges, inner: Ranges): boolean {
  let index = 0
  for (let at = 0; at < inner.length; at += 2) {
    index = findFrom(outer, endAt(inner, at), index)
    if (index >= outer.length || startAt(outer, index) > startAt(inner, at)) return false
  }
  return true
}

/**
 * Adds one range: a binary search from the end and at most one splice.
 * @returns the change in the number of ranges
 */
function insertRange(ranges: number[], start: number, end: number): number {
  const length = ranges.length
  // Most deletions are near the newest: the end of the list is looked at first.
  const first = length > 0 && endAt(ranges, length - 2) < start ? length : findFrom(ranges, start, 0)
  if (first === length) {
    ranges.push(start, end)
    return 1
  }
  if (startAt(ranges, first) > end) {
    ranges.splice(first, 0, start, end)
    return 1
  }
  let last = first
  while (last + 2 < length && startAt(ranges, last + 2) <= end) last += 2
  ranges[first] = Math.min(start, startAt(ranges, first))
  ranges[first + 1] = Math.max(end, endAt(ranges, last))
  if (last > first) ranges.splice(first + 2, last - first)
  return (first - last) / 2
}

/** Union of both, as a new array, in one walk over them. */
function mergeRanges(left: Ranges, right: Ranges): number[] {
  const merged: number[] = []
  let l = 0
  let r = 0
  while (l < left.length || r < right.length) {
    const isLeft = r >= right.length || (l < left.length && startAt(left, l) <= startAt(right, r))
    const from = isLeft ? left : right
    const index = isLeft ? l : r
    if (isLeft) l += 2
    else r += 2
    appendRange(merged, startAt(from, index), endAt(from, index))
  }
  return merged
}

/** Adds a range that begins at or after the start of the last one. */
export function appendRange(ranges: number[], start: number, end: number): void {
  const length = ranges.length
  if (length > 0 && endAt(ranges, length - 2) >= start) {
    if (endAt(ranges, length - 2) < end) ranges[length - 1] = end
  } else ranges.push(start, end)
}

/** The same ranges, which came in any order, sorted and merged. */
export function normaliseRanges(ranges: Ranges): number[] {
  const order: number[] = []
  for (let index = 0; index < ranges.length; index += 2) order.push(index)
  order.sort((a, b) => startAt(ranges, a) - startAt(ranges, b))
  const sorted: number[] = []
  for (const index of order) appendRange(sorted, startAt(ranges, index), endAt(ranges, index))
  return sorted
}

/**
 * Adds ranges to others. A few are inserted one by one, in place; more are merged in one walk: an insertion moves all that
 * follows, about as costly as a walk over an eighth of the list.
 * @returns the ranges, which are `target` itself or a new array
 */
export function addRanges(target: number[], added: Ranges): number[] {
  if (added.length > 8) return mergeRanges(target, added)
  for (let index = 0; index < added.length; index += 2) insertRange(target, startAt(added, index), endAt(added, index))
  return target
}

/** The parts of ranges that lie at or after `clock`. */
export function cutOff(ranges: Ranges, clock: number): number[] {
  const rest: number[] = []
  for (let index = 0; index < ranges.length; index += 2) {
    const end = endAt(ranges, index)
    if (end > clock) rest.push(Math.max(clock, startAt(ranges, index)), end)
  }
  return rest
}

/** Those ranges of which not every clock is in `known`. */
export function notCovered(ranges: Ranges, known: Ranges): number[] {
  const rest: number[] = []
  for (let index = 0; index < ranges.length; index += 2) {
    const range = [startAt(ranges, index), endAt(ranges, index)]
    if (!coversRanges(known, range)) rest.push(...range)
  }
  return rest
}
