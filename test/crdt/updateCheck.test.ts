import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { Knowledge } from '../../server/src/crdt/Knowledge.ts'
import { readUpdate } from '../../server/src/crdt/readUpdate.ts'
import { DEFAULT_UPDATE_LIMITS } from '../../server/src/crdt/UpdateLimits.ts'
import { rounds } from '../rounds.ts'
import { checkDocument, contentOf } from './checkDocument.ts'
import { extendAs, mutateUpdate } from './mutateUpdate.ts'
import { Random } from './Random.ts'
import { Replica } from './Replica.ts'
import { createDocument } from './randomEdits.ts'
import { ServerModel } from './ServerModel.ts'

const STEPS = 40
const MUTATIONS_PER_STEP = 6

const given = process.env.WEFT_TEST_SEED
const options = { ...(given ? { seed: Number(given) } : { seed: 20_261_121 }), endOnFailure: true }
const anySeed = fc.integer({ min: 0, max: 2 ** 32 - 1 })

function read(update: Uint8Array) {
  return readUpdate(update, DEFAULT_UPDATE_LIMITS)
}

describe('honest updates', () => {
  it('are all accepted, one by one, and the knowledge follows the document', () => {
    fc.assert(
      fc.property(anySeed, seed => {
        const random = new Random(seed)
        const server = new ServerModel()
        const replicas = [new Replica(1000), new Replica(2000, false), new Replica(3000)]
        // What each has not heard yet, and has not said yet.
        const inboxes: Uint8Array[][] = replicas.map(() => [])
        const outboxes: Uint8Array[][] = replicas.map(() => [])
        const send = (from: number) => {
          for (const update of outboxes[from]?.splice(0) ?? []) {
            const verdict = server.receive(update)
            if (verdict.verdict === 'stored') for (const inbox of inboxes) inbox.push(verdict.update)
            else expect(verdict.verdict).toBe('known')
          }
        }
        for (let step = 0; step < STEPS; step++) {
          const index = random.below(replicas.length)
          const replica = replicas[index] as Replica
          outboxes[index]?.push(...replica.edit(random))
          if (random.chance(0.5)) send(index)
          if (random.chance(0.5)) for (const update of inboxes[index]?.splice(0) ?? []) replica.apply(update)
        }
        replicas.forEach((_, index) => {
          send(index)
        })
        replicas.forEach((replica, index) => {
          for (const update of inboxes[index] ?? []) replica.apply(update)
          // What Yjs tidied by itself on applying.
          expect(
            server.receive(Y.encodeStateAsUpdate(replica.doc, server.knowledge.encodeStateVector())).verdict,
          ).not.toBe('malformed')
        })
        for (const { doc } of replicas) {
          Y.applyUpdate(doc, Y.encodeStateAsUpdate(server.doc))
          expect(contentOf(doc)).toEqual(contentOf(server.doc))
        }
      }),
      { ...options, numRuns: rounds.honestHistories },
    )
  })

  it('are accepted merged, as differences and as whole states, and say the same', () => {
    fc.assert(
      fc.property(anySeed, seed => {
        const random = new Random(seed)
        const replicas = [new Replica(1000), new Replica(2000, random.chance(0.5))]
        const server = new ServerModel()
        const updates: Uint8Array[] = []
        let heard = 0
        for (let step = 0; step < STEPS; step++) {
          const replica = random.pick(replicas)
          const before = server.knowledge.encodeStateVector()
          for (let count = random.below(3); count >= 0; count--) replica.edit(random)
          const difference = Y.encodeStateAsUpdate(replica.doc, before)
          if (server.receive(difference).verdict === 'stored') updates.push(difference)
          if (random.chance(0.3)) continue
          for (const update of updates.slice(heard)) for (const other of replicas) other.apply(update)
          heard = updates.length
        }
        const { knowledge } = server
        const merged = Y.mergeUpdates(updates)
        expect(Knowledge.fromContents(read(merged)).encode()).toEqual(knowledge.encode())
        // A whole state knows its implicit deletions too.
        const state = read(Y.encodeStateAsUpdate(server.doc))
        const whole = Knowledge.fromContents(state)
        expect(whole.stateVector).toEqual(knowledge.stateVector)
        expect(whole.brings(read(merged))).toBe(false)
        for (const update of updates) {
          const stateVector = Y.encodeStateVectorFromUpdate(update)
          expect(knowledge.missing(read(Y.diffUpdate(merged, stateVector)))).toBe(null)
          expect(knowledge.brings(read(Y.diffUpdate(merged, stateVector)))).toBe(false)
        }
        expect(Knowledge.decode(knowledge.encode()).encode()).toEqual(knowledge.encode())
      }),
      { ...options, numRuns: rounds.honestHistories },
    )
  })
})

describe('mutated updates', () => {
  it('are refused, or apply to every replica without an exception and without a rest', () => {
    const counts = { mutated: 0, malformed: 0, incomplete: 0, known: 0, stored: 0 }
    fc.assert(
      fc.property(anySeed, seed => {
        const random = new Random(seed)
        const server = new ServerModel()
        const replicas = [new Replica(1000), new Replica(2000, false)]
        for (let step = 0; step < STEPS; step++) {
          const replica = random.pick(replicas)
          const before = server.knowledge.encodeStateVector()
          replica.edit(random)
          const honest = Y.encodeStateAsUpdate(replica.doc, before)
          for (let count = 0; count < MUTATIONS_PER_STEP; count++) {
            // Mostly somebody's with a client id of their own: what extends another's live one is refused by rule 6.
            const stateVector = server.knowledge.stateVector
            const base = random.chance(0.8)
              ? extendAs(7 + random.below(3), honest, replica.clientID, stateVector)
              : honest
            const mutated = mutateUpdate(base, stateVector, random)
            counts.mutated++
            if (extendsAny(mutated, replicas, server.knowledge)) continue
            const verdict = server.receive(mutated)
            counts[verdict.verdict]++
            if (verdict.verdict === 'stored') for (const each of replicas) each.apply(verdict.update)
          }
          const verdict = server.receive(Y.encodeStateAsUpdate(replica.doc, server.knowledge.encodeStateVector()))
          expect(['stored', 'known']).toContain(verdict.verdict)
          if (verdict.verdict === 'stored') for (const each of replicas) each.apply(verdict.update)
          for (const { doc } of replicas) checkDocument(doc)
        }
        // Who joins gets runs, each merged, or a snapshot and what follows.
        const joined = createDocument(5)
        for (let at = 0; at < server.log.length; at += 10)
          Y.applyUpdate(joined, Y.mergeUpdates(server.log.slice(at, at + 10)))
        checkDocument(joined)
        const opened = createDocument(6)
        Y.applyUpdate(opened, Y.encodeStateAsUpdate(server.doc))
        checkDocument(opened)
        expect(Y.encodeStateVector(joined)).toEqual(server.knowledge.encodeStateVector())
        expect(Y.encodeStateVector(opened)).toEqual(server.knowledge.encodeStateVector())
      }),
      { ...options, numRuns: Math.ceil(rounds.updateMutations / (STEPS * MUTATIONS_PER_STEP)) },
    )
    // The mutations must reach every part of the check, or this test shows nothing.
    expect(counts.mutated).toBeGreaterThanOrEqual(rounds.updateMutations)
    for (const verdict of ['malformed', 'incomplete', 'known', 'stored'] as const) {
      expect(counts[verdict], verdict).toBeGreaterThan(counts.mutated / 50)
    }
  })
})

/** Rule 6, which the room keeps: a client id in live use is extended only by its user. */
function extendsAny(update: Uint8Array, replicas: readonly Replica[], knowledge: Knowledge): boolean {
  try {
    const extended = knowledge.extendedClients(read(update))
    return replicas.some(({ clientID }) => extended.includes(clientID))
  } catch {
    return false
  }
}
