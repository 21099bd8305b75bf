import { expect, it } from 'vitest'
import * as Y from 'yjs'
import { checkDocument, contentOf } from './crdt/checkDocument.ts'
import { Random } from './crdt/Random.ts'
import { createDocument } from './crdt/randomEdits.ts'
import { rounds, roundsTimeoutMs } from './rounds.ts'
import { checkLog } from './support/checkLog.ts'
import { eventually } from './support/eventually.ts'
import { OnlineReplica } from './support/OnlineReplica.ts'
import { RawClient, updateOf } from './support/RawClient.ts'
import type { ServerProcess } from './support/ServerProcess.ts'
import { readStored } from './support/storedDocument.ts'
import { eagerCompaction, testServer } from './support/testServer.ts'

const REPLICAS = 5
const STEPS = 300
const firstSeed = Number(process.env.WEFT_TEST_SEED ?? Date.now() % 2 ** 31)

async function step(replica: OnlineReplica, random: Random): Promise<void> {
  const choice = random.below(40)
  if (choice < 28) replica.edit(random)
  else if (choice < 30) replica.disconnect()
  else if (choice < 33) await replica.connect()
  else if (choice < 34) replica.stopReading()
  else if (choice < 36) replica.goOnReading()
  else if (choice < 38) replica.repeat(random)
  else if (choice < 39) replica.askAgain(random)
  else replica.goBack(random)
}

function sameState(a: Y.Doc, b: Y.Doc): boolean {
  return Buffer.from(Y.encodeStateVector(a)).equals(Y.encodeStateVector(b)) && sameContent(a, b)
}

function sameContent(a: Y.Doc, b: Y.Doc): boolean {
  try {
    expect(contentOf(a)).toEqual(contentOf(b))
    return true
  } catch {
    return false
  }
}

/** One history of one document; at its end every replica, a fresh client and the log hold the same. */
async function live(server: ServerProcess, document: string, seed: number): Promise<OnlineReplica[]> {
  const random = new Random(seed)
  const url = `${server.socketUrl}/${document}`
  const replicas = Array.from({ length: REPLICAS }, (_, index) => new OnlineReplica(index, url))
  for (const replica of replicas) if (random.chance(0.7)) await replica.connect()
  for (let i = 0; i < STEPS; i++) {
    await step(random.pick(replicas), random)
    // The others, the network and the server get their turn.
    if (random.chance(0.3)) await new Promise(resolve => setTimeout(resolve, random.below(4)))
  }
  for (const replica of replicas) {
    replica.goOnReading()
    await replica.connect()
  }
  // Nobody asks again from here on: what is committed must reach everybody by itself.
  for (const replica of replicas) await replica.committed()
  const [first] = replicas
  if (first === undefined) throw new Error('no replicas')
  await eventually('all to be the same', () => replicas.every(replica => sameState(first.doc, replica.doc)))
  for (const replica of replicas) {
    expect(replica.isOnline).toBe(true)
    checkDocument(replica.doc)
  }
  const client = await RawClient.join(url)
  const fresh = createDocument(1)
  for (const message of client.received) {
    const update = updateOf(message)
    if (update !== null) Y.applyUpdate(fresh, update)
  }
  expect(contentOf(fresh)).toEqual(contentOf(first.doc))
  expect(Y.encodeStateVector(fresh)).toEqual(Y.encodeStateVector(first.doc))
  return replicas
}

it(
  `replicas that edit, leave, return, are slow and repeat themselves converge (${rounds.realHistories} histories, from seed ${firstSeed})`,
  async () => {
    const server = await testServer({ ...eagerCompaction, WEFT_MAX_UNSENT_BYTES: '16384' })
    for (let round = 0; round < rounds.realHistories; round++) {
      const seed = firstSeed + round
      const document = `history/${seed}`
      try {
        const replicas = await live(server, document, seed)
        for (const replica of replicas) replica.disconnect()
        await server.stop()
        const stored = await readStored(server.folder, document)
        expect(stored.snapshotSeq).toBeGreaterThan(0)
        const replayed = checkLog(stored, createDocument(2))
        const [first] = replicas
        expect(contentOf(replayed)).toEqual(first && contentOf(first.doc))
        expect(Y.encodeStateVector(replayed)).toEqual(first && Y.encodeStateVector(first.doc))
        await server.start()
      } catch (error) {
        throw new Error(`WEFT_TEST_SEED=${seed}`, { cause: error })
      }
    }
  },
  roundsTimeoutMs,
)
