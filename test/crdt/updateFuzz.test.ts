import { expect, it } from 'vitest'
import { fuzzTimeoutMs, rounds } from '../rounds.ts'
import { fuzzUpdates, type UpdateCounts } from './fuzzUpdates.ts'

const given = process.env.WEFT_TEST_SEED
const FIRST_SEED = given === undefined ? 20_261_130 : Number(given)

const none = (): UpdateCounts => ({ mutated: 0, malformed: 0, incomplete: 0, known: 0, stored: 0, closedParts: 0 })

it(
  `[threat U1] [threat U5] what the check says of changed updates is what Yjs makes of them (${rounds.fuzzedUpdates}, from seed ${FIRST_SEED})`,
  () => {
    const counts = none()
    for (let seed = FIRST_SEED; counts.mutated < rounds.fuzzedUpdates; seed++) run(seed, counts)
    // The changes must reach every part of the check, or this shows nothing.
    for (const verdict of ['malformed', 'incomplete', 'known', 'stored'] as const) {
      expect(counts[verdict], verdict).toBeGreaterThan(counts.mutated / 50)
    }
    expect(counts.closedParts).toBeGreaterThan(counts.mutated / 500)
  },
  fuzzTimeoutMs,
)

// By seed, for other implementations may meet it.
it.each([4, 16])(
  'an update with a gap, of which Yjs can make nothing, is malformed, and no fault of ours (seed %i)',
  seed => {
    const counts = none()
    run(seed, counts, 1)
    expect(counts.closedParts).toBeGreaterThan(0)
  },
)

function run(seed: number, counts: UpdateCounts, closedPartChance?: number): void {
  try {
    fuzzUpdates(seed, counts, closedPartChance)
  } catch (error) {
    throw new Error(`WEFT_TEST_SEED=${seed}: ${(error as Error).message}`, { cause: error })
  }
}
