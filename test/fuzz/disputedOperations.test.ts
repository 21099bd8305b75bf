import { expect, it } from 'vitest'
import * as Y from 'yjs'
import { Random } from '../crdt/Random.ts'
import { Replica } from '../crdt/Replica.ts'
import { differences, disputedOperations } from './disputedOperations.ts'
import { fuzzServer } from './fuzzServer.ts'

const counts = () => ({ messages: 0, types: new Map(), states: new Map(), stored: 0 })

// By seed, for other implementations may meet it. There, an honest client's undo kept what all others had thrown away.
it.each([20_262_205, 20_263_337])(
  'clients differ in nothing but what builds on an item between neighbours of two types (seed %i)',
  seed => fuzzServer(seed, counts()),
)

it('of what editors make, nothing is disputed; and what differs is found', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed)
    const replicas = [new Replica(1000), new Replica(2000)]
    const history: Uint8Array[] = []
    for (const { doc } of replicas) {
      doc.on('update', (update: Uint8Array, origin: unknown) => {
        if (origin !== 'remote') history.push(update)
      })
    }
    for (let edit = 0; edit < 60; edit++) {
      random.pick(replicas).edit(random)
      if (random.chance(0.3)) for (const replica of replicas) for (const update of history) replica.apply(update)
    }
    const isDisputed = disputedOperations(history)
    const [one, other] = replicas
    if (one === undefined || other === undefined) throw new Error('there are two')
    for (const { doc } of replicas) {
      for (const [client, end] of Y.decodeStateVector(Y.encodeStateVector(doc))) {
        for (let clock = 0; clock < end; clock++) expect(isDisputed(client, clock)).toBe(false)
      }
    }
    for (const update of [...history]) for (const replica of replicas) replica.apply(update)
    expect(differences(one.doc, other.doc)).toEqual([])
    const text = one.doc.getText('text')
    text.insert(0, 'xy')
    other.apply(Y.encodeStateAsUpdate(one.doc))
    text.delete(0, 1)
    expect(differences(one.doc, other.doc)).toHaveLength(1)
  }
})
