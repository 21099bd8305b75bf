import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { Random } from '../crdt/Random.ts'
import { api } from '../support/apiClient.ts'
import { within } from '../support/eventually.ts'
import { RawClient, updateOf } from '../support/RawClient.ts'
import { ServerProcess } from '../support/ServerProcess.ts'
import { documentOf, readStored } from '../support/storedDocument.ts'
import { eagerCompaction, testFolder, testServer } from '../support/testServer.ts'
import { textOf, typist } from '../support/typist.ts'

/** All files of a store, those in its folder itself, with what they hold. */
async function contentsOf(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { withFileTypes: true })
  const files = entries.filter(entry => entry.isFile() && entry.name !== 'LOCK' && !entry.name.startsWith('LOG'))
  const names = files.map(({ name }) => name).sort()
  return new Map(
    await Promise.all(
      names.map(
        async (name): Promise<[string, string]> => [name, (await readFile(join(folder, name))).toString('hex')],
      ),
    ),
  )
}

describe('[threat S3] a store of which files are missing', () => {
  it('is refused with 73 and one line, left as it is, and whole again when they are back', async () => {
    const server = await testServer(eagerCompaction)
    const client = await RawClient.join(`${server.socketUrl}/kept`)
    const ann = typist(1)
    for (let i = 1; i <= 30; i++) await client.commit(ann.type(`word${i} `), i)
    await server.stop()
    const elsewhere = await testFolder()
    const files = [...(await contentsOf(server.folder)).keys()]
    expect(files).toContain('CURRENT')
    for (const name of files) {
      await rename(join(server.folder, name), join(elsewhere, name))
      const before = await contentsOf(server.folder)
      const { code, output } = await ServerProcess.run({ folder: server.folder })
      expect([name, code, output.trim().split('\n').length]).toEqual([name, 73, 1])
      expect([name, await contentsOf(server.folder)]).toEqual([name, before])
      await rename(join(elsewhere, name), join(server.folder, name))
    }
    await server.start()
    const again = await RawClient.join(`${server.socketUrl}/kept`)
    expect(textOf(...again.received.map(updateOf))).toBe(ann.text.toString())
  })

  it('a folder of something else is no store, and nothing is written into it', async () => {
    const folder = join(await testFolder(), 'notes')
    await mkdir(folder)
    await writeFile(join(folder, 'diary.txt'), 'dear diary')
    const before = await contentsOf(folder)
    const { code, output } = await ServerProcess.run({ folder })
    expect([code, output.trim().split('\n').length]).toEqual([73, 1])
    expect(await contentsOf(folder)).toEqual(before)
  })
})

describe('[threat S6] a stop', () => {
  it('in the midst of everything that uses the store ends well, and loses nothing that was acknowledged', async () => {
    const seed = Date.now() % 2 ** 31
    const random = new Random(seed)
    const server = await testServer({ ...eagerCompaction, WEFT_IDLE_DOCUMENT_SECONDS: '0' })
    const acknowledged = new Map<string, Uint8Array[]>()
    for (let round = 0; round < 3; round++) {
      let isOver = false
      const work: Promise<unknown>[] = []
      let left = 10 + random.below(50)
      let reached = () => {}
      const enough = new Promise<void>(resolve => {
        reached = resolve
      })
      const write = async (name: string, clientID: number) => {
        const client = await RawClient.join(`${server.socketUrl}/${name}`)
        const author = typist(clientID)
        for (let i = 1; !isOver; i++) {
          const update = author.type(`${i} `)
          await client.commit(update, i)
          if (--left === 0) reached()
          acknowledged.set(name, [...(acknowledged.get(name) ?? []), update])
        }
      }
      // Rooms are loaded, let go, compacted, read, listed and backed up at the same time.
      const visit = async () => {
        while (!isOver) {
          const client = await RawClient.join(`${server.socketUrl}/b${random.below(5)}`)
          client.cut()
        }
      }
      const ask = async (path: string) => {
        while (!isOver) await api(server, 'GET', path)
      }
      for (let i = 0; i < 5; i++) work.push(write(`b${i}`, 1000 * (round + 1) + i))
      work.push(visit(), visit(), ask('/api/v1/documents'), ask('/api/v1/documents/b1?format=yjs'))
      work.push(ask('/api/v1/backup'))
      // Each ends by the stop: a connection that is closed, a request that breaks off.
      const ends = work.map(promise => promise.catch(() => {}))
      await within('enough acknowledgements', Promise.race([enough, ...work]))
      const exit = await server.stop()
      isOver = true
      expect([seed, round, exit]).toEqual([seed, round, { code: 0, signal: null }])
      await Promise.all(ends)
      await server.start()
    }
    await server.stop()
    for (const [name, updates] of acknowledged) {
      const stored = Y.encodeStateAsUpdate(documentOf(await readStored(server.folder, name)))
      const [text, all] = [textOf(stored), textOf(stored, ...updates)]
      expect([seed, name, all]).toEqual([seed, name, text])
    }
  })

  it('at any moment of a start ends well, too', async () => {
    const server = await testServer()
    await (await RawClient.join(`${server.socketUrl}/kept`)).commit(typist(1).type('kept'))
    await server.stop()
    for (const delayMs of [0, 50, 100, 200, 300, 500]) {
      const starting = server.start().catch(() => null)
      await new Promise(resolve => setTimeout(resolve, delayMs))
      const { signal } = await server.stop()
      // Before the process listens to signals, it is the system that ends it; it never ends itself by one.
      expect([delayMs, signal === null || signal === 'SIGTERM']).toEqual([delayMs, true])
      await starting
    }
    await server.start()
    const client = await RawClient.join(`${server.socketUrl}/kept`)
    expect(textOf(...client.received.map(updateOf))).toBe('kept')
  })
})
