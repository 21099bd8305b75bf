import { readdir, readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { rounds, roundsTimeoutMs } from '../rounds.ts'
import { brokenBuilds } from './brokenBuilds.ts'
import { buildSimulation, type Simulation } from './buildSimulation.ts'
import { shrinkPlan } from './shrinkPlan.ts'
import type { WorldPlan } from './world/index.ts'

const BUILD_MS = 60_000
/** Within so many seeds each broken build must be caught. */
const SEARCHED_SEEDS = 200
const plansFolder = new URL('plans/', import.meta.url)

/** One seed, to see it again; its whole plan, smaller ones included, stands in the error. */
const onlySeed = process.env.WEFT_TEST_SEED
/** Seeds from 1 on are run each time, so that a change that breaks one is seen at once; the long run has others, too. */
const firstSeed = onlySeed === undefined ? 1 : Number(onlySeed)
const seedCount = onlySeed === undefined ? rounds.simulations : 1

let simulation: Simulation

beforeAll(async () => {
  simulation = await buildSimulation('sound')
}, BUILD_MS)

/** @throws where something happened that must not, with the smallest plan found in which it happens, too */
async function play(plan: WorldPlan): Promise<ReadonlyMap<string, number>> {
  const { problems, counts } = await simulation.run(plan)
  if (problems.length === 0) return counts
  const small = await shrinkPlan(plan, async smaller => (await simulation.run(smaller)).problems.length > 0)
  const text = `seed ${plan.seed}: ${problems[0]}\nA plan to keep in test/simulation/plans: ${JSON.stringify(small)}`
  throw new Error(`WEFT_TEST_SEED=${plan.seed} shows it again. ${text}`)
}

describe(`the server’s parts, with ${seedCount} histories of people, strangers and faults, from seed ${firstSeed}`, () => {
  it(
    '[threat S1] [threat S2] [threat S5] [threat S8] [threat D6] [threat C3] [threat A1] [threat P2] [threat P3] [threat U5] keep what was acknowledged or seen, let all replicas agree, and send no honest client away',
    async () => {
      const sums = new Map<string, number>()
      for (let seed = firstSeed; seed < firstSeed + seedCount; seed++) {
        const counts = await play(simulation.makePlan(seed))
        for (const [name, count] of counts) sums.set(name, (sums.get(name) ?? 0) + count)
        // Others in this process have something to say, too.
        await new Promise(setImmediate)
      }
      if (onlySeed !== undefined) return
      // A fault that never happens shows nothing.
      expect(simulation.mustHappen.filter(name => !sums.has(name))).toEqual([])
    },
    roundsTimeoutMs,
  )

  it('the same seed gives the same history, to the byte', async () => {
    for (const seed of [firstSeed, firstSeed + 3, firstSeed + 5]) {
      const plan = simulation.makePlan(seed)
      expect(simulation.makePlan(seed)).toEqual(plan)
      const [once, again] = [await simulation.run(plan), await simulation.run(plan)]
      expect([again.hash, again.counts]).toEqual([once.hash, once.counts])
    }
  })

  it('another seed gives another history', async () => {
    const hashes = new Set<string>()
    for (let seed = 1; seed <= 5; seed++) hashes.add((await simulation.run(simulation.makePlan(seed))).hash)
    expect(hashes.size).toBe(5)
  })
})

describe('a plan that once failed', async () => {
  const names = (await readdir(plansFolder)).filter(name => name.endsWith('.json'))
  it.each(names)('%s', async name => {
    const plan = JSON.parse(await readFile(new URL(name, plansFolder), 'utf8')) as WorldPlan
    expect((await simulation.run(plan)).problems).toEqual([])
  })
})

describe('a server that is broken on purpose is caught: one that', () => {
  it.each(brokenBuilds)(
    '$name',
    async ({ name, replacements, seed, caughtBy }) => {
      const broken = await buildSimulation(name.replaceAll(' ', '-'), replacements)
      const seeds = rounds.simulations > SEARCHED_SEEDS ? searched(seed) : [seed]
      let caught = ''
      for (const tried of seeds) {
        caught = (await broken.run(broken.makePlan(tried))).problems.join('\n')
        if (caughtBy.test(caught)) break
      }
      expect(caught).toMatch(caughtBy)
      // And it is the fault of what is broken.
      expect((await simulation.run(simulation.makePlan(seed))).problems).toEqual([])
    },
    roundsTimeoutMs,
  )

  it('and a replacement whose text is gone is told', async () => {
    const gone = { file: 'room/Room.ts', from: 'what never stood there', to: '' }
    await expect(buildSimulation('gone', [gone])).rejects.toThrow('0 times')
    await expect(buildSimulation('gone', [{ ...gone, file: 'room/Nowhere.ts' }])).rejects.toThrow('not part of')
  })
})

/** The long run looks for itself. */
function searched(first: number): number[] {
  return [...Array.from({ length: SEARCHED_SEEDS }, (_, index) => index + 1), first]
}

it('a plan that fails is made smaller', async () => {
  const [noBackPressure] = brokenBuilds.filter(({ name }) => name === 'acknowledges before fsync')
  if (noBackPressure === undefined) throw new Error('there is no such build')
  const broken = await buildSimulation('shrunk', noBackPressure.replacements)
  const plan = broken.makePlan(noBackPressure.seed)
  const fails = async (smaller: WorldPlan) => noBackPressure.caughtBy.test((await broken.run(smaller)).problems.join())
  const small = await shrinkPlan(plan, fails, 60)
  expect(small.actions.length).toBeLessThan(5)
  expect(await fails(small)).toBe(true)
})
