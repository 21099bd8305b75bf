import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StoredDocument, WholeDocument } from '../server/dist/log/UpdateLog.js'
import { roundsTimeoutMs } from './rounds.ts'
import { api, rawStatus } from './support/apiClient.ts'
import { BACKUP, contentOf, fingerprint, lines, told } from './support/backups.ts'
import { digestDocument } from './support/digestDocument.ts'
import { eventually, within } from './support/eventually.ts'
import { compactedDocument, deletedDocument, makeStore, readStore, writtenDocument } from './support/madeStore.ts'
import { RawClient } from './support/RawClient.ts'
import { ServerProcess } from './support/ServerProcess.ts'
import { canMount, SmallDisk } from './support/smallDisk.ts'
import { documentOf, readStored } from './support/storedDocument.ts'
import { makeTemporaryFolder, removeFolder } from './support/temporaryFolder.ts'
import { eagerCompaction, testFolder, testServer } from './support/testServer.ts'
import { asksForTokens, sign, tokenFor } from './support/tokens.ts'
import { typist } from './support/typist.ts'
import { runCommand, startCommand } from './support/weftCommand.ts'

const MiB = 1 << 20
const SMALL = 2000
const LARGE = 20
/** More than all buffers between a server and a client that doesn't read. */
const LARGE_BYTES = 3 * MiB

/** A backup whose reading waits for what the test does. */
class SlowReader {
  readonly response: IncomingMessage
  readonly ended: Promise<'whole' | 'cut'>
  readonly #chunks: Buffer[] = []

  private constructor(response: IncomingMessage) {
    this.response = response
    response.on('data', (chunk: Buffer) => this.#chunks.push(chunk))
    response.pause()
    this.ended = new Promise(resolve => {
      response.once('end', () => resolve('whole'))
      response.once('error', () => resolve('cut'))
      response.once('close', () => resolve(response.complete ? 'whole' : 'cut'))
    })
  }

  /** Resolves when the answer has begun: what it will hold is fixed. */
  static async begin(server: ServerProcess): Promise<SlowReader> {
    const request = get(server.url + BACKUP)
    request.on('error', () => {})
    const [response] = await within('a backup', once(request, 'response'))
    return new SlowReader(response as IncomingMessage)
  }

  async documents(): Promise<Map<string, WholeDocument>> {
    return (await this.content()).documents
  }

  async content(): ReturnType<typeof contentOf> {
    this.response.resume()
    expect(await within('the end of a backup', this.ended)).toBe('whole')
    return contentOf(Buffer.concat(this.#chunks))
  }

  cut(): void {
    this.response.destroy()
  }
}

const textIn = (document: StoredDocument | undefined) =>
  document === undefined ? null : documentOf(document).getText('text').toString()

/** Bytes of memory that a process has. */
function memoryOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

/** Text that compresses badly. */
function noise(bytes: number, seed: number): string {
  const parts: string[] = []
  for (let i = 0, length = 0; length < bytes; i++, length += 44) {
    parts.push(createHash('sha256').update(`${seed} ${i}`).digest('base64'))
  }
  return parts.join('').slice(0, bytes)
}

describe('a store of 2,000 small and 20 large documents', { timeout: roundsTimeoutMs }, () => {
  let root = ''
  let store = ''
  let file = ''
  let server: ServerProcess
  let documents: WholeDocument[]

  beforeAll(async () => {
    root = await makeTemporaryFolder()
    store = join(root, 'store')
    file = join(root, 'made.weft')
    const ann = typist(1)
    for (let i = 0; i < 5; i++) ann.type(`word${i} `)
    ann.erase(2, 3)
    const small = ann.updates
    const large = Array.from({ length: 2 }, (_, seed) => [typist(seed + 1).type(noise(LARGE_BYTES, seed))])
    documents = [
      ...Array.from({ length: LARGE }, (_, i) => writtenDocument(`large/${i}`, large[i % 2] ?? [])),
      ...Array.from({ length: SMALL }, (_, i) => {
        if (i % 100 === 7) return deletedDocument(`small/${i}`, i)
        return i % 10 === 0 ? compactedDocument(`small/${i}`, small) : writtenDocument(`small/${i}`, small)
      }),
    ]
    await makeStore(store, documents)
    server = await ServerProcess.start({
      folder: store,
      env: { ...eagerCompaction, WEFT_SLOW_READER_SECONDS: '5' },
    })
    await writeFile(file, Buffer.from(await (await fetch(server.url + BACKUP)).arrayBuffer()))
  })
  afterAll(async () => {
    await server?.kill()
    await removeFolder(root)
  })
  const weft = (...args: string[]) => runCommand(args, { WEFT_URL: server.url })

  it('is backed up and restored, and is then what it was', async () => {
    const folder = await testFolder()
    const file = join(folder, 'x.weft')
    expect(told(await weft('backup', file))).toEqual([0, []])
    const data = join(folder, 'new', 'data')
    const { code, stdout, stderr } = await runCommand(['restore', file, '--data', data, '--json'])
    expect([code, stderr]).toEqual([0, ''])
    const deleted = SMALL / 100
    const counts = {
      documents: LARGE + SMALL - deleted,
      deleted,
      files: 0,
      bytes: (await stat(file)).size,
      damaged: [],
    }
    expect(JSON.parse(stdout)).toEqual({ file, data, ...counts })
    const sorted = documents.toSorted((a, b) => (a.documentId < b.documentId ? -1 : 1))
    const found = await readStore(data)
    expect(found.length).toBe(sorted.length)
    for (const [index, document] of found.entries()) {
      expect(digestDocument(document)).toBe(digestDocument(sorted[index]))
    }
    expect(await readdir(join(data, '..'))).toEqual(['data'])

    const again = await testServer({}, data)
    const client = await RawClient.join(`${again.socketUrl}/small/10`)
    await client.commit(typist(2).type('more '))
    await again.stop()
    expect(textIn(await readStored(data, 'small/10'))).toContain('more ')
  })

  it('is verified in each of its forms', async () => {
    const deleted = SMALL / 100
    const sound = { code: 0, stdout: `${LARGE + SMALL - deleted} sound, ${deleted} deleted\n`, stderr: '' }
    expect(await weft('verify')).toMatchObject(sound)
    expect(await runCommand(['verify', file])).toMatchObject(sound)
    const folder = join(await testFolder(), 'data')
    await makeStore(folder, documents)
    const before = await fingerprint(folder)
    expect(await runCommand(['verify', '--data', folder])).toMatchObject(sound)
    expect(await fingerprint(folder)).toEqual(before)
  })

  it('is backed up as it was at one moment, though it is written to, compacted and deleted from meanwhile', async () => {
    // Small ones come last: nothing of them has been read as long as the large ones aren't.
    const reader = await SlowReader.begin(server)
    const written = await RawClient.join(`${server.socketUrl}/small/1`)
    const compacted = await RawClient.join(`${server.socketUrl}/small/2`)
    await written.commit(typist(2).type('later '), 1)
    const bo = typist(2)
    for (let i = 0; i < 30; i++) await compacted.commit(bo.type(`later${i} `), i)
    expect(
      (await api(server, 'DELETE', '/api/v1/documents/small/3', { headers: { 'X-Requested-With': 'x' } })).status,
    ).toBe(200)
    await RawClient.join(`${server.socketUrl}/brand/new`).then(client => client.commit(typist(2).type('new')))
    const found = await reader.documents()
    const before = new Map<string, WholeDocument>(documents.map(document => [document.documentId, document]))
    for (const name of ['small/1', 'small/2', 'small/3']) {
      expect(digestDocument(found.get(name))).toBe(digestDocument(before.get(name)))
    }
    expect(found.size).toBe(before.size)

    const next = await SlowReader.begin(server).then(reader => reader.documents())
    expect(textIn(next.get('small/1'))).toContain('later ')
    expect(next.get('small/3')?.deletedAt).toBeGreaterThan(0)
    expect(textIn(next.get('brand/new'))).toBe('new')
    await eventually('the compaction', async () => {
      const later = await SlowReader.begin(server).then(reader => reader.documents())
      return (later.get('small/2')?.snapshotSeq ?? 0) > 0
    })
  })

  it('has the files of a document that is deleted for good, or begun anew, meanwhile: all of them, whole', async () => {
    const headers = { 'X-Requested-With': 'x' }
    const upload = (name: string, text: string) =>
      api(server, 'POST', `/api/v1/documents/${name}/uploads`, {
        headers: { ...headers, 'Content-Type': 'application/pdf' },
        body: Buffer.from(`%PDF-${text}`),
      })
    const before = ['small/4', 'small/4', 'small/5'].map((name, i) => [name, `file ${i}`] as const)
    const paths: string[] = []
    for (const [name, text] of before) paths.push(JSON.parse((await upload(name, text)).text).path)
    const reader = await SlowReader.begin(server)
    expect((await api(server, 'DELETE', '/api/v1/documents/small/4?purge=true', { headers })).status).toBe(200)
    await api(server, 'DELETE', '/api/v1/documents/small/5', { headers })
    const anew = await api(server, 'PUT', '/api/v1/documents/small/5?anew=true', {
      headers: { ...headers, 'Content-Type': 'text/markdown' },
      body: 'anew',
    })
    expect(anew.status).toBe(201)
    expect((await upload('small/5', 'of the new one')).status).toBe(201)
    // For everybody else they are gone.
    for (const path of paths) expect((await fetch(server.url + path)).ok).toBe(false)
    const { files } = await reader.content()
    const texts = (name: string) =>
      files.filter(({ documentId }) => documentId === name).map(({ bytes }) => Buffer.from(bytes).toString())
    expect(texts('small/4').sort()).toEqual(['%PDF-file 0', '%PDF-file 1'])
    expect(texts('small/5')).toContain('%PDF-file 2')
    await eventually('the end of what was deleted', async () => (await readdir(join(store, 'uploads'))).length === 1)
    const next = await SlowReader.begin(server).then(reader => reader.content())
    expect(next.files.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(['%PDF-of the new one'])
  })

  it('is held back by a client that doesn’t read, in little memory; that is cut, and others wait for their turn', async () => {
    await weft('verify')
    const before = memoryOf(server.pid)
    const readers = [await SlowReader.begin(server), await SlowReader.begin(server)]
    const third = await api(server, 'GET', BACKUP)
    expect([third.status, third.code, third.headers.get('retry-after')]).toEqual([503, 'busy', '5'])
    // Edits go on.
    const client = await RawClient.join(`${server.socketUrl}/meanwhile`)
    for (let i = 0; i < 20; i++) await client.commit(typist(3 + i).type('x'), i)
    expect(memoryOf(server.pid) - before).toBeLessThan((LARGE * LARGE_BYTES) / 2)
    await bothTurns()
    for (const reader of readers) {
      reader.response.resume()
      expect(await within('the end', reader.ended)).toBe('cut')
    }
    expect((await weft('verify')).code).toBe(0)
  })

  it('is given up where the client leaves, and where the server is killed: no file is left', async () => {
    for (let i = 0; i < 4; i++) (await SlowReader.begin(server)).cut()
    await bothTurns()
    const folder = await testFolder()
    const own = await testServer({}, await copyOf(documents))
    const { result } = startCommand(['backup', join(folder, 'x.weft')], { WEFT_URL: own.url })
    await eventually('the beginning', async () => (await sizes(folder)).some(size => size > 0))
    await own.kill()
    expect(told(await result)).toEqual([1, [expect.stringMatching(/^weft: the server broke off: /)]])
    expect(await readdir(folder)).toEqual([])
  })

  it.each([
    ['killed', 'SIGKILL'],
    ['interrupted', 'SIGINT'],
  ] as const)('leaves nothing that is taken for whole where the command is %s', async (_, signal) => {
    const folder = await testFolder()
    const path = join(folder, 'x.weft')
    const backup = startCommand(['backup', path], { WEFT_URL: server.url })
    await eventually('the beginning', async () => (await sizes(folder)).some(size => size > 0))
    backup.child.kill(signal)
    const ended = await backup.result
    const left = await readdir(folder)
    // It may have been as quick as that.
    if (!left.includes('x.weft')) {
      expect(signal === 'SIGINT' ? ended.code : ended.signal).toBe(signal === 'SIGINT' ? 130 : 'SIGKILL')
      expect(left.length).toBe(signal === 'SIGINT' ? 0 : 1)
      for (const name of left) {
        const half = await runCommand(['verify', join(folder, name)])
        expect([half.code, half.stderr]).toEqual([1, expect.stringContaining('it was cut short')])
        expect((await runCommand(['restore', join(folder, name), '--data', join(folder, 'data')])).code).toBe(1)
      }
    }
    await removeFolder(folder)
    await mkdir(folder)

    const data = join(folder, 'data')
    const restore = startCommand(['restore', file, '--data', data])
    await eventually('the beginning', async () => (await readdir(folder)).length > 0)
    restore.child.kill(signal)
    await restore.result
    const names = await readdir(folder)
    if (names.includes('data')) expect((await readStore(data)).length).toBe(documents.length)
    else expect(names.length).toBe(signal === 'SIGINT' ? 0 : 1)
  })

  it('is restored on a full disk not at all, and nothing is left of it', async context => {
    if (!canMount) return context.skip('only root can mount a small file system')
    const disk = await SmallDisk.mount(24)
    const data = join(disk.folder, 'data')
    const { code, stderr } = await runCommand(['restore', file, '--data', data])
    expect([code, lines(stderr).length]).toEqual([1, 1])
    expect(stderr).toMatch(/data can't be written: .*[Nn]o space left/)
    expect(await readdir(disk.folder)).toEqual([])
    const backup = await weft('backup', join(disk.folder, 'x.weft'))
    expect(told(backup)).toEqual([1, [expect.stringMatching(/x\.weft can't be written: ENOSPC/)]])
    expect(await readdir(disk.folder)).toEqual([])
    // The mounted folder itself can't be given another's name.
    await writeFile(join(root, 'one.weft'), await oneDocument())
    const mounted = await runCommand(['restore', join(root, 'one.weft'), '--data', disk.folder])
    expect(told(mounted)).toEqual([1, [expect.stringContaining('a file system is mounted there')]])
  })

  /** Resolves when no backup is under way. */
  async function bothTurns(): Promise<void> {
    await eventually('both turns', async () => {
      const pair = await Promise.all([SlowReader.begin(server), SlowReader.begin(server)])
      for (const reader of pair) reader.cut()
      return pair.every(({ response }) => response.statusCode === 200)
    })
  }

  async function sizes(folder: string): Promise<number[]> {
    const names = await readdir(folder)
    return Promise.all(
      names.map(name =>
        stat(join(folder, name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
    )
  }
})

async function copyOf(documents: readonly WholeDocument[]): Promise<string> {
  const folder = join(await testFolder(), 'data')
  await makeStore(folder, documents)
  return folder
}

/** A backup of one document, `a`, with the text `one two three`. */
async function oneDocument(): Promise<Buffer> {
  const server = await testServer()
  const client = await RawClient.join(`${server.socketUrl}/a`)
  const ann = typist(1)
  for (const [i, word] of ['one ', 'two ', 'three'].entries()) await client.commit(ann.type(word), i)
  await client.leave()
  const response = await fetch(server.url + BACKUP)
  const bytes = Buffer.from(await response.arrayBuffer())
  await server.stop()
  return bytes
}

describe('a backup while people write', () => {
  it('has what was saved before it began, and of each document a state that it had', async () => {
    const server = await testServer(eagerCompaction)
    const folder = await testFolder()
    const people = await Promise.all(
      Array.from({ length: 4 }, async (_, i) => {
        const client = await RawClient.join(`${server.socketUrl}/w/${i}`)
        return { client, writer: typist(i + 1), saved: '', seen: '' }
      }),
    )
    let isOver = false
    const write = async (person: (typeof people)[number]): Promise<void> => {
      for (let i = 0; !isOver; i++) {
        await person.client.commit(person.writer.type(`word${i} `), i)
        person.saved = person.writer.text.toString()
      }
    }
    const writing = people.map(write)
    await RawClient.join(`${server.socketUrl}/doomed`).then(client => client.commit(typist(9).type('doomed')))
    for (let round = 0; round < 3; round++) {
      await eventually('some edits', () => people.every(({ saved, seen }) => saved.length > seen.length + 100))
      for (const person of people) person.seen = person.saved
      const file = join(folder, `${round}.weft.gz`)
      const backup = runCommand(['backup', file], { WEFT_URL: server.url })
      if (round === 1) await api(server, 'DELETE', '/api/v1/documents/doomed', { headers: { 'X-Requested-With': 'x' } })
      expect(told(await backup)).toEqual([0, []])
      const data = join(folder, `data${round}`)
      expect(told(await runCommand(['restore', file, '--data', data]))).toEqual([0, []])
      expect(told(await runCommand(['verify', '--data', data]))).toEqual([0, []])
      for (const [i, person] of people.entries()) {
        const text = documentOf(await readStored(data, `w/${i}`))
          .getText('text')
          .toString()
        expect(text.startsWith(person.seen)).toBe(true)
        expect(person.writer.text.toString().startsWith(text)).toBe(true)
      }
      const doomed = await readStored(data, 'doomed')
      if (doomed.deletedAt === null) expect(documentOf(doomed).getText('text').toString()).toBe('doomed')
      expect(doomed.deletedAt === null || round > 0).toBe(true)
      expect(doomed.deletedAt !== null || round < 2).toBe(true)
      const restored = await testServer({}, data)
      const reader = await RawClient.join(`${restored.socketUrl}/w/0`)
      expect(reader.received.length).toBeGreaterThan(0)
      await restored.stop()
    }
    isOver = true
    await Promise.all(writing)
    const { code, stdout } = await runCommand(['verify'], { WEFT_URL: server.url })
    expect([code, stdout]).toEqual([0, '4 sound, 1 deleted\n'])
  })
})

describe('who may take a backup', () => {
  it('with a secret: an owner of every document, by the header alone', async () => {
    const server = await testServer(asksForTokens)
    const owner = { prefix: '', role: 'owner' }
    const outcome = async (token?: string, query = '') => {
      const { status, code } = await api(server, 'GET', BACKUP + query, token === undefined ? {} : { token })
      return [status, code]
    }
    expect(await outcome()).toEqual([401, 'unauthorized'])
    expect(await outcome('nonsense')).toEqual([401, 'unauthorized'])
    expect(await outcome(undefined, `?token=${await tokenFor('owner')}`)).toEqual([401, 'unauthorized'])
    expect(await outcome(await tokenFor('editor'))).toEqual([403, 'forbidden'])
    expect(await outcome(await sign({ docs: [{ prefix: 'team/', role: 'owner' }] }))).toEqual([403, 'forbidden'])
    const except = await sign({ docs: [owner, { document: 'secret', role: 'viewer' }] })
    expect(await outcome(except)).toEqual([403, 'forbidden'])
    expect(await outcome(await sign({ docs: [owner, { prefix: 'a/', role: 'owner' }] }))).toEqual([200, null])
    const env = { WEFT_URL: server.url, WEFT_TOKEN: await tokenFor('editor') }
    const file = join(await testFolder(), 'x.weft')
    expect(told(await runCommand(['backup', file], env))).toEqual([
      1,
      ['weft: this needs the role owner in every document, and the token gives editor'],
    ])
    expect((await runCommand(['verify'], env)).code).toBe(1)
    expect((await runCommand(['verify'], { ...env, WEFT_TOKEN: await tokenFor('owner') })).code).toBe(0)
    const post = await api(server, 'POST', BACKUP, { token: await tokenFor('owner') })
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET'])
  })

  it('without a secret: a program of this machine, not through a proxy', async () => {
    const server = await testServer({ WEFT_HOST: '0.0.0.0', WEFT_OPEN: '1' })
    const Host = `127.0.0.1:${server.port}`
    expect(await rawStatus(server, BACKUP, { Host })).toBe(200)
    expect(await rawStatus(server, BACKUP, { Host: 'weft.example' })).toBe(403)
    expect(await rawStatus(server, BACKUP, { Host, 'X-Forwarded-For': '192.0.2.1' })).toBe(403)
    expect(await rawStatus(server, BACKUP, { Host, Origin: 'https://elsewhere.example' })).toBe(403)
    expect(await rawStatus(server, `${BACKUP}/more`, { Host })).toBe(404)
  })
})
