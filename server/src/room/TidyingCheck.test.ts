import { describe, expect, it } from 'vitest'
import { SimulatedClock } from '../../../test/simulation/SimulatedClock.ts'
import { type Deletes, type Tidier, TidyingCheck } from './TidyingCheck.ts'

const deletesOf = (...ranges: number[]): Deletes => new Map([[1, ranges]])

class Reader implements Tidier {
  tidied: Deletes = new Map()
  readonly answers: [tidied: Deletes | null, isLast: boolean][] = []

  judged(tidied: Deletes | null, isLast: boolean): void {
    if (tidied !== null) this.tidied = tidied
    this.answers.push([tidied, isLast])
  }
}

/** A worker that takes 100 ms for a document in which everything that is deleted is a mark of no use, but for the clocks given. */
function newCheck(edits: readonly number[] = []) {
  const clock = new SimulatedClock()
  const asked: (readonly Deletes[])[] = []
  const failures: unknown[] = []
  const state = { isFailing: false, running: 0 }
  const check = new TidyingCheck({
    clock: clock.forLife({ isOver: false }),
    workshop: {
      async tidied(questions, read) {
        await read()
        expect(++state.running).toBe(1)
        asked.push(questions)
        await clock.sleep(100)
        state.running--
        if (state.isFailing) throw new Error('no worker')
        return questions.map(deletes =>
          edits.some(clock => (deletes.get(1) ?? []).includes(clock))
            ? null
            : new Map(deletes as Map<number, number[]>),
        )
      },
    },
    settled: async () => {},
    read: async () => ({ snapshot: null, updates: [] }),
    failed: error => failures.push(error),
  })
  /** What was asked for is under way by then. */
  const runUntil = (end: number) => {
    clock.after(0, () => {})
    return clock.runUntil(end)
  }
  return { asked, failures, state, check, runUntil }
}

describe('TidyingCheck', () => {
  it('has one document built at a time, for all who wait, and then rests', async () => {
    const { asked, check, runUntil } = newCheck([77])
    const readers = Array.from({ length: 250 }, () => new Reader())
    for (const [index, reader] of readers.entries()) expect(check.ask(reader, deletesOf(index, index + 1))).toBe(true)
    await runUntil(99)
    // The first was alone when it came.
    expect(asked.map(questions => questions.length)).toEqual([1])
    await runUntil(499)
    expect(asked.length).toBe(1)
    await runUntil(1100)
    expect(asked.map(questions => questions.length)).toEqual([1, 100, 100])
    await runUntil(10_000)
    expect(asked.map(questions => questions.length)).toEqual([1, 100, 100, 49])
    for (const [index, { answers }] of readers.entries()) {
      const isEdit = index === 76 || index === 77
      expect([index, answers]).toEqual([index, [[isEdit ? null : deletesOf(index, index + 1), true]]])
    }
  })

  it('adds what a reader deletes meanwhile to its next question, with the marks that it deleted before', async () => {
    const { asked, check, runUntil } = newCheck()
    const reader = new Reader()
    check.ask(reader, deletesOf(5, 6))
    await runUntil(50)
    check.ask(reader, deletesOf(9, 10))
    check.ask(reader, deletesOf(6, 7, 20, 21))
    await runUntil(200)
    expect(reader.answers).toEqual([[deletesOf(5, 6), false]])
    await runUntil(10_000)
    expect(asked[1]).toEqual([deletesOf(5, 7, 9, 10, 20, 21)])
    expect(reader.answers.slice(1)).toEqual([[deletesOf(5, 7, 9, 10, 20, 21), true]])
  })

  it('takes what can’t be judged for an edit, and goes on', async () => {
    const { failures, state, check, runUntil } = newCheck()
    const reader = new Reader()
    state.isFailing = true
    check.ask(reader, deletesOf(5, 6))
    await runUntil(100)
    expect(reader.answers).toEqual([[null, true]])
    expect(failures.length).toBe(1)
    state.isFailing = false
    check.ask(reader, deletesOf(7, 8))
    await runUntil(10_000)
    expect(reader.answers.at(-1)).toEqual([deletesOf(7, 8), true])
  })

  it('lets no reader wait with too much, nor all together; who has left waits no more', async () => {
    const { check, runUntil } = newCheck()
    const many = (count: number) => deletesOf(...Array.from({ length: 2 * count }, (_, index) => 2 * index))
    check.ask(new Reader(), deletesOf(1, 2))
    await runUntil(50)
    const greedy = new Reader()
    expect(check.ask(greedy, many(50_000))).toBe(true)
    expect(check.ask(greedy, deletesOf(1, 2))).toBe(false)
    const others = Array.from({ length: 19 }, () => new Reader())
    for (const other of others) expect(check.ask(other, many(50_000))).toBe(true)
    const late = new Reader()
    expect(check.ask(late, deletesOf(1, 2))).toBe(false)
    for (const reader of [greedy, ...others]) check.leave(reader)
    check.leave(greedy)
    expect(check.ask(late, deletesOf(1, 2))).toBe(true)
    await runUntil(10_000)
    expect(late.answers.length).toBe(1)
    expect(greedy.answers).toEqual([])
  })

  it('keeps no more than 10,000 ranges of a reader: beyond, it is an edit', async () => {
    const { check, runUntil } = newCheck()
    const reader = new Reader()
    check.ask(reader, deletesOf(...Array.from({ length: 20_002 }, (_, index) => 2 * index)))
    await runUntil(10_000)
    expect(reader.answers).toEqual([[null, true]])
    expect(reader.tidied.size).toBe(0)
  })
})
