import { expect, it } from 'vitest'
import * as Y from 'yjs'
import { Random } from './crdt/Random.ts'
import { isLong, rounds, roundsTimeoutMs } from './rounds.ts'
import { within } from './support/eventually.ts'
import { ackNumber, NO_UPDATE, RawClient, updateOf } from './support/RawClient.ts'
import type { ServerProcess } from './support/ServerProcess.ts'
import { contains, documentOf, readStored } from './support/storedDocument.ts'
import { eagerCompaction, testFolder, testServer } from './support/testServer.ts'
import { typist } from './support/typist.ts'

const DOCUMENTS = isLong ? 10 : 4
const WRITERS = 2
/** Rounds in the same documents: what grows for ever would be read and compared ever more slowly. */
const ROUNDS_OF_DOCUMENT = 10
const seed = Number(process.env.WEFT_TEST_SEED ?? Date.now() % 2 ** 31)

/** What others know of a document: it must survive. */
interface Witness {
  /** Updates that somebody got who hadn't written them. */
  readonly relayed: Uint8Array[]
  /** Updates whose author was told that they are committed. */
  readonly acknowledged: Uint8Array[]
}

/** Writes as fast as the connection takes it, until the connection ends. */
function hammer(client: RawClient, clientID: number, random: Random, witness: Witness): void {
  const author = typist(clientID)
  const sent: Uint8Array[] = []
  let acknowledged = 0
  client.onMessage(message => {
    if (message.type !== 'ack') return
    const upTo = ackNumber(message.payload)
    witness.acknowledged.push(...sent.slice(acknowledged, upTo))
    acknowledged = upTo
  })
  const write = () => {
    if (!client.isOpen) return
    for (let count = random.below(8); count >= 0; count--) {
      const length = author.text.length
      if (length > 20 && random.chance(0.2)) author.erase(random.below(length - 5), 5)
      else author.type(`${clientID}:${author.updates.length} `)
      client.update(author.updates.at(-1) ?? new Uint8Array())
      sent.push(author.updates.at(-1) ?? new Uint8Array())
    }
    client.askAck(sent.length)
    // Not more than the link takes: what is in flight at the kill is what this is about.
    if (client.socket.bufferedAmount < 10_000) setImmediate(write)
    else setTimeout(write, 2)
  }
  write()
}

function nameOf(round: number, index: number): string {
  return `document/${Math.floor(round / ROUNDS_OF_DOCUMENT)}/${index}`
}

/** One life of the server, ended by SIGKILL after a random number of messages. */
async function liveAndDie(server: ServerProcess, round: number, random: Random, witnesses: Witness[]): Promise<void> {
  const clients: RawClient[] = []
  let left = 1 + random.below(rounds.messagesBeforeKill)
  let reached: () => void = () => {}
  const enough = new Promise<void>(resolve => {
    reached = resolve
  })
  const count = () => {
    if (--left === 0) reached()
  }
  for (const [index, witness] of witnesses.entries()) {
    const url = `${server.socketUrl}/${nameOf(round, index)}`
    const reader = await RawClient.join(url)
    clients.push(reader)
    reader.onMessage(message => {
      const update = updateOf(message)
      if (update !== null) witness.relayed.push(update)
    })
    for (let writer = 0; writer < WRITERS; writer++) {
      const client = await RawClient.join(url)
      clients.push(client)
      client.socket.on('message', count)
      hammer(client, 1000 * (round + 1) + 10 * index + writer + 1, random, witness)
    }
  }
  await within('enough messages', enough)
  await server.kill()
  // What the system had for us already still arrives: somebody has seen it.
  await Promise.all(clients.map(client => client.closed))
}

function expectContained(doc: Y.Doc, updates: readonly Uint8Array[], what: string): void {
  const lost = updates.filter(update => !contains(doc, update))
  if (lost.length > 0) throw new Error(`seed ${seed}: ${lost.length} of ${updates.length} updates ${what} are lost`)
}

it(
  `[threat S1] [threat F1] what anybody has heard of is in the log after SIGKILL (${rounds.kills} rounds, seed ${seed})`,
  async () => {
    const random = new Random(seed)
    const folder = await testFolder()
    const server = await testServer({ ...eagerCompaction, WEFT_MESSAGE_BURST: '1000000' }, folder)
    let relayed = 0
    let acknowledged = 0
    let compacted = 0
    let earlier: Uint8Array[][] = []
    for (let round = 0; round < rounds.kills; round++) {
      if (round % ROUNDS_OF_DOCUMENT === 0) earlier = Array.from({ length: DOCUMENTS }, () => [])
      const witnesses = Array.from({ length: DOCUMENTS }, (): Witness => ({ relayed: [], acknowledged: [] }))
      await liveAndDie(server, round, random, witnesses)
      for (const [index, witness] of witnesses.entries()) {
        const name = nameOf(round, index)
        const stored = await readStored(folder, name)
        if (stored.snapshotSeq > 0) compacted++
        const doc = documentOf(stored)
        expectContained(doc, witness.relayed, `that others received in round ${round} of ${name}`)
        expectContained(doc, witness.acknowledged, `that were acknowledged in round ${round} of ${name}`)
        expectContained(doc, earlier[index] ?? [], `of earlier rounds in round ${round} of ${name}`)
        earlier[index]?.push(...witness.acknowledged.slice(-20))
        relayed += witness.relayed.length
        acknowledged += witness.acknowledged.length
      }
      await server.start()
      // And whoever joins now gets it.
      for (const [index, witness] of witnesses.entries()) {
        const client = await RawClient.join(`${server.socketUrl}/${nameOf(round, index)}`)
        const doc = typist(1).doc
        for (const update of client.received.map(updateOf)) if (update !== null) Y.applyUpdate(doc, update)
        expectContained(
          doc,
          [...witness.relayed, ...witness.acknowledged],
          `that a fresh client should get in ${index}`,
        )
        client.cut()
      }
    }
    // It was about something.
    expect(relayed).toBeGreaterThan(rounds.kills * 10)
    expect(acknowledged).toBeGreaterThan(rounds.kills * 10)
    expect(compacted).toBeGreaterThan(0)
  },
  roundsTimeoutMs,
)

it(
  `nor is anything of a large document, whose snapshot is stored in pieces (${rounds.largeKills} rounds, seed ${seed})`,
  async () => {
    const random = new Random(seed)
    const server = await testServer(eagerCompaction)
    let acknowledged: Uint8Array[] = []
    let largest = 0
    for (let round = 0; round < rounds.largeKills; round++) {
      // Four lives each: then it has grown enough.
      const name = `large ${round >> 2}`
      if (round % 4 === 0) acknowledged = []
      const client = await RawClient.join(`${server.socketUrl}/${encodeURIComponent(name)}`)
      const author = typist(round + 1)
      const edits = 40 + random.below(40)
      for (let i = 0; i < edits; i++) {
        await client.commit(author.type(`${random.next()} `.repeat(3000)), i + 1)
        acknowledged.push(author.updates.at(-1) ?? NO_UPDATE)
      }
      await server.kill()
      const stored = await readStored(server.folder, name)
      expectContained(documentOf(stored), acknowledged, `that were acknowledged up to round ${round} of ${name}`)
      largest = Math.max(largest, stored.snapshotBytes)
      await server.start()
    }
    // It was about something: three pieces and more.
    expect(largest).toBeGreaterThan(2 << 20)
  },
  roundsTimeoutMs,
)
