import type { Histogram } from './Histogram.ts'
import type { Random } from './Random.ts'

/** What is due when: parallel lists, by time. */
export interface Schedule {
  /** ms from the beginning. */
  readonly at: Float64Array
  readonly who: Uint32Array
}

/**
 * Everybody acts at a steady rate, not in step with the others: each turn falls somewhere in its own stretch of time.
 * @param perSecond turns of one actor per second
 */
export function spreadEvenly(random: Random, actors: number, perSecond: number, seconds: number): Schedule {
  const turns: { at: number; who: number }[] = []
  const stretch = 1000 / perSecond
  for (let who = 0; who < actors; who++) {
    for (let turn = 0; turn < Math.round(perSecond * seconds); turn++) {
      turns.push({ at: (turn + random.fraction()) * stretch, who })
    }
  }
  turns.sort((a, b) => a.at - b.at)
  return { at: Float64Array.from(turns, ({ at }) => at), who: Uint32Array.from(turns, ({ who }) => who) }
}

/** Does what is due, when it is due; `lateness` is told how late each turn was. */
export async function runSchedule(
  { at, who }: Schedule,
  lateness: Histogram,
  act: (who: number) => void,
): Promise<void> {
  const begin = performance.now()
  let place = 0
  await new Promise<void>(resolve => {
    const go = () => {
      const now = performance.now() - begin
      for (; place < at.length; place++) {
        const due = at[place] ?? 0
        if (due > now) {
          setTimeout(go, Math.max(1, due - now))
          return
        }
        lateness.add(now - due)
        act(who[place] ?? 0)
      }
      resolve()
    }
    go()
  })
}
