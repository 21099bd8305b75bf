import { expect, it } from 'vitest'
import { rounds, roundsTimeoutMs } from '../rounds.ts'
import { simulate } from './simulate.ts'

const firstSeed = Number(process.env.WEFT_TEST_SEED ?? Date.now() % 2 ** 31)

it(
  `rooms, sessions and committer keep their promises (${rounds.simulations} simulated histories, from seed ${firstSeed})`,
  async () => {
    const sums = { edits: 0, appends: 0, compactions: 0, failures: 0, kills: 0, relayed: 0, acknowledged: 0, synced: 0 }
    for (let seed = firstSeed; seed < firstSeed + rounds.simulations; seed++) {
      const counts = await simulate(seed).catch(error => {
        throw new Error(`WEFT_TEST_SEED=${seed}: ${error.message}`, { cause: error })
      })
      for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += counts[name]
    }
    // Everything that this is about did happen.
    for (const [name, sum] of Object.entries(sums)) expect([name, sum > 0]).toEqual([name, true])
  },
  roundsTimeoutMs,
)

it('the same seed gives the same history', async () => {
  expect(await simulate(firstSeed)).toEqual(await simulate(firstSeed))
})
