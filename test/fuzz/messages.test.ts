import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { fuzzTimeoutMs, rounds } from '../rounds.ts'
import { type FuzzCounts, fuzzServer, MESSAGES_PER_SERVER } from './fuzzServer.ts'
import { messageNames } from './messageFields.ts'
import { strangerStates } from './SpeakingStranger.ts'

const given = process.env.WEFT_TEST_SEED
const FIRST_SEED = given === undefined ? 20_261_130 : Number(given)
/** What a run may leave in memory: caches of the engine and of the tests themselves, whatever the number of messages. */
const MAX_GROWTH_BYTES = 24 << 20

const dialects = ['y-websocket', 'hocuspocus', 'multiplex'] as const

it(
  `[threat K5] [threat U6] [threat A1] changed messages of all dialects harm nobody, in any state of a session (${rounds.fuzzedMessages}, from seed ${FIRST_SEED})`,
  async () => {
    const counts: FuzzCounts = { messages: 0, types: new Map(), states: new Map(), stored: 0 }
    let heapBefore = 0
    for (let seed = FIRST_SEED; counts.messages < rounds.fuzzedMessages; seed++) {
      await fuzzServer(seed, counts).catch(error => {
        throw new Error(`WEFT_TEST_SEED=${seed}: ${error.message}`, { cause: error })
      })
      // The engine is warm.
      if (heapBefore === 0 && counts.messages > 20 * MESSAGES_PER_SERVER) heapBefore = heapInUse()
    }
    expect(heapInUse() - heapBefore).toBeLessThan(MAX_GROWTH_BYTES)
    // Everything that this is about was said, and some of it was taken.
    expect(counts.stored).toBeGreaterThan(counts.messages / 100)
    for (const dialect of dialects) {
      for (const name of messageNames(dialect))
        expect(counts.types.get(`${dialect} ${name}`), name).toBeGreaterThan(100)
      for (const state of strangerStates) {
        // There, a client without a token is gone with its first message.
        if (dialect === 'y-websocket' && state === 'token asked for') continue
        expect(counts.states.get(`${dialect} ${state}`), `${dialect} ${state}`).toBeGreaterThan(20)
      }
    }
  },
  fuzzTimeoutMs,
)

it('the same seed says the same', async () => {
  const run = async () => {
    const counts: FuzzCounts = { messages: 0, types: new Map(), states: new Map(), stored: 0 }
    await fuzzServer(FIRST_SEED, counts)
    return counts
  }
  expect(await run()).toEqual(await run())
})

/** Of all that is reachable. */
function heapInUse(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed
}
