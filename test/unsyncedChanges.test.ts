import { spawnSync } from 'node:child_process'
import { encodeAnnounce } from '@weft/protocol'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import type * as Y from 'yjs'
import { Random } from './crdt/Random.ts'
import { rounds, roundsTimeoutMs } from './rounds.ts'
import { eventually } from './support/eventually.ts'
import {
  type HocuspocusClient,
  type HocuspocusSocket,
  hocuspocusSocket,
  type ProviderVersion,
  providerVersions,
} from './support/hocuspocusClient.ts'
import { LinkProxy } from './support/LinkProxy.ts'
import { RawClient } from './support/RawClient.ts'
import { ServerProcess } from './support/ServerProcess.ts'
import { documentOf, readStored } from './support/storedDocument.ts'
import { makeTemporaryFolder, removeFolder } from './support/temporaryFolder.ts'

// `hasUnsyncedChanges` of an unmodified provider is never false while an edit of it is not in the log.

const seed = Number(process.env.WEFT_TEST_SEED ?? Date.now() % 2 ** 31)
const kills = `${rounds.providerKills} kills`
interface Person {
  readonly version: ProviderVersion
  readonly word: string
  readonly socket: HocuspocusSocket
  readonly client: HocuspocusClient
}

const notesIn = (doc: Y.Doc): string => doc.getText('notes').toString()

const write = ({ client, word }: Person): void => client.doc.getText('notes').insert(0, word)

/** One provider of each version, in one document, with nothing unsynced. */
async function providersAt(url: string): Promise<Person[]> {
  const people = providerVersions.map(version => {
    const socket = hocuspocusSocket(version, url)
    onTestFinished(() => socket.destroy())
    return { version, word: `<${version}>`, socket, client: socket.open('a') }
  })
  await Promise.all(people.map(({ client }) => client.synced()))
  await eventually('nothing to be unsynced', () => people.every(({ client }) => !client.provider.hasUnsyncedChanges))
  return people
}

const hasSeen = ({ received }: RawClient, word: string): boolean =>
  received.some(message => message.type === 'update' && Buffer.from(message.update).includes(word))

/** Whatever was sent to them before the server's death has come. */
async function haveHeardAll(people: readonly Person[]): Promise<void> {
  await eventually('the connections to end', () =>
    people.every(({ socket }) => socket.sockets[0]?.readyState === WebSocket.CLOSED),
  )
}

const unsynced = (people: readonly Person[]): boolean[] =>
  people.map(({ client }) => client.provider.hasUnsyncedChanges)

const storedNotes = async (folder: string): Promise<string> => notesIn(documentOf(await readStored(folder, 'a')))

const timesIn = (notes: string, people: readonly Person[]): number[] =>
  people.map(({ word }) => notes.split(word).length - 1)

/** All come back: nothing is unsynced any more, and every word is there once. */
async function expectAllSavedOnce(server: ServerProcess, people: readonly Person[]): Promise<void> {
  await eventually('everybody to have everything, on disk', () =>
    people.every(
      ({ version, client }) =>
        people.every(({ word }) => notesIn(client.doc).includes(word)) &&
        // Version 2 doesn't forget what it counted on the connection that is lost: it never calls itself synced again.
        client.provider.hasUnsyncedChanges === (version === 2),
    ),
  )
  await server.kill()
  expect(timesIn(await storedNotes(server.folder), people)).toEqual(people.map(() => 1))
}

/** From now on the kernel takes no byte more from a process for any file (EFBIG): what it commits is never done. */
function holdBackCommits({ pid }: ServerProcess): void {
  const { status, stderr, error } = spawnSync('prlimit', [`--pid=${pid}`, '--fsize=0:'], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`prlimit: ${error?.message ?? stderr}`)
}

/** Rounds on a store of their own each, whose server is killed at the end. */
async function eachRound(run: (server: ServerProcess) => Promise<void>): Promise<void> {
  for (let round = 0; round < rounds.providerKills; round++) {
    const folder = await makeTemporaryFolder()
    const server = await ServerProcess.start({ folder })
    try {
      await run(server)
    } finally {
      await server.kill()
      await removeFolder(folder)
    }
  }
}

describe('providers 2, 3 and 4 of Hocuspocus call an edit unsynced', { timeout: roundsTimeoutMs }, () => {
  it.runIf(process.platform === 'linux')(
    `that the server has received and not committed when it is killed (${kills})`,
    async () => {
      let met = 0
      await eachRound(async server => {
        const people = await providersAt(server.socketUrl)
        const witness = await RawClient.join(`${server.socketUrl}/a`)
        witness.send(encodeAnnounce())
        holdBackCommits(server)
        for (const person of people) {
          write(person)
          // Passed on at once: the edit before it has been received.
          person.client.provider.sendStateless(person.word)
        }
        for (const { word } of people) await witness.next('ephemeral', ({ payload }) => payload === word)
        await server.kill()
        await haveHeardAll(people)
        expect(unsynced(people)).toEqual([true, true, true])
        if ((await storedNotes(server.folder)) === '') met++

        await server.start()
        await expectAllSavedOnce(server, people)
        for (const { socket } of people) socket.destroy()
      })
      expect(met).toBe(rounds.providerKills)
    },
  )

  it(`that is committed when the server is killed, as long as they have not heard of it (${kills})`, async () => {
    let met = 0
    await eachRound(async server => {
      const link = await LinkProxy.start(server.port)
      try {
        const people = await providersAt(link.socketUrl)
        const witness = await RawClient.join(`${server.socketUrl}/a`)
        link.stall('toClient')
        for (const person of people) write(person)
        // What anybody else has seen is committed.
        await eventually('the witness to see all', () => people.every(({ word }) => hasSeen(witness, word)))
        await server.kill()
        // What the server said is lost on its way.
        link.cut()
        await haveHeardAll(people)
        expect(unsynced(people)).toEqual([true, true, true])
        if (timesIn(await storedNotes(server.folder), people).every(times => times === 1)) met++

        link.release('toClient')
        await server.start()
        await expectAllSavedOnce(server, people)
        for (const { socket } of people) socket.destroy()
      } finally {
        await link.stop()
      }
    })
    expect(met).toBe(rounds.providerKills)
  })

  it(`that is not in the log, whenever the server is killed (${kills}, seed ${seed})`, async () => {
    const random = new Random(seed)
    await eachRound(async server => {
      const writers = await Promise.all(
        providerVersions.map(async version => {
          const socket = hocuspocusSocket(version, server.socketUrl)
          onTestFinished(() => socket.destroy())
          const client = socket.open(`document ${version}`)
          await client.synced()
          // What is known to be safe: the text as it was when nothing was unsynced.
          const writer = { version, socket, client, safe: '' }
          client.provider.on('unsyncedChanges', () => {
            if (!client.provider.hasUnsyncedChanges) writer.safe = notesIn(client.doc)
          })
          return writer
        }),
      )
      let edits = 0
      const type = () => {
        for (const { client } of writers) {
          const notes = client.doc.getText('notes')
          notes.insert(notes.length, `${edits} `)
        }
        edits++
      }
      type()
      await eventually('the first edits to be safe', () => writers.every(({ safe }) => safe !== ''))
      for (let left = random.below(40); left > 0; left--) type()
      for (let left = random.below(60); left > 0; left--) {
        type()
        await new Promise(resolve => setImmediate(resolve))
      }
      await server.kill()
      for (const { version, socket, safe } of writers) {
        socket.destroy()
        const stored = notesIn(documentOf(await readStored(server.folder, `document ${version}`)))
        expect(stored.startsWith(safe)).toBe(true)
      }
    })
  })
})
