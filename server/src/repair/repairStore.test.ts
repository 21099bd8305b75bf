import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DocumentId } from '@weft/protocol'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { Random } from '../../../test/crdt/Random.ts'
import { rounds, roundsTimeoutMs } from '../../../test/rounds.ts'
import { checkStoredDocument } from '../backup/checkStoredDocument.ts'
import { Knowledge } from '../crdt/Knowledge.ts'
import { readUpdate } from '../crdt/readUpdate.ts'
import { NO_LIMITS } from '../crdt/UpdateLimits.ts'
import { LevelStore } from '../log/LevelStore.ts'
import { LevelUpdateLog } from '../log/LevelUpdateLog.ts'
import { documentKey, encodeSentinel, nameKey, recordKey, recordKind, rowKey, sentinelKey } from '../log/levelRecord.ts'
import type { StoredDocument } from '../log/UpdateLog.ts'
import type { RepairedDocument } from './repairDocument.ts'
import { repairStore } from './repairStore.ts'

const seed = Number(process.env.WEFT_TEST_SEED ?? Date.now() % 2 ** 31)
const time = 1_790_000_000_000

/** Somebody who types into one document: each word an update. */
class Author {
  readonly doc = new Y.Doc()
  readonly updates: Uint8Array[] = []

  constructor(clientID: number) {
    this.doc.clientID = clientID
    this.doc.on('update', (update: Uint8Array) => this.updates.push(update))
  }

  type(text: string): Uint8Array {
    this.doc.getText('text').insert(this.doc.getText('text').length, text)
    return this.updates.at(-1) ?? new Uint8Array()
  }
}

describe(`a repaired store (WEFT_TEST_SEED=${seed})`, { timeout: roundsTimeoutMs }, () => {
  const random = new Random(seed)
  let root: string
  let store: string
  const authors = new Map<string, Author>()
  const sound = new Map<string, StoredDocument>()
  let copies = 0

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'weft-repair-test-'))
    store = join(root, 'store')
    let log = await LevelUpdateLog.open({ folder: store, create: true })
    const heads = new Map<string, number>()
    const write = async (name: string, count: number, length = 1) => {
      const author = authors.get(name) ?? new Author(authors.size + 1)
      authors.set(name, author)
      const after = heads.get(name) ?? 0
      const updates = Array.from({ length: count }, (_, i) => author.type(`${random.below(1e9)} `.repeat(length) + i))
      await log.append([{ documentId: name as DocumentId, after, updates, time: time + after }])
      heads.set(name, after + count)
    }
    const compact = async (name: string, keptAfter: number) => {
      const doc = authors.get(name)?.doc ?? new Y.Doc()
      const snapshot = Y.encodeStateAsUpdate(doc)
      const kept = new Y.Doc()
      for (const update of authors.get(name)?.updates.slice(0, keptAfter) ?? []) Y.applyUpdate(kept, update)
      await log.compact({
        documentId: name as DocumentId,
        snapshotSeq: heads.get(name) ?? 0,
        snapshot,
        knowledge: Knowledge.fromContents(readUpdate(snapshot, NO_LIMITS)).encode(),
        keptAfter,
        keptStateVector: Y.encodeStateVector(kept),
      })
    }
    for (let i = 0; i < 6; i++) await write(`document/${i}`, 25)
    for (let i = 0; i < 6; i++) await write('large', 1, 25_000)
    await compact('document/0', 20)
    await compact('large', 4)
    await log.close()
    log = await LevelUpdateLog.open({ folder: store, create: false })
    for (let i = 0; i < 4; i++) await write(`document/${i}`, 5)
    await write('large', 2)
    await log.delete('document/5' as DocumentId, time + 10_000)
    await log.close()
    log = await LevelUpdateLog.open({ folder: store, create: false })
    for (let i = 0; i < 3; i++) await write(`document/${i}`, 3)
    for (let i = 0; i < 5; i++) await write(`new/${i}`, 2)
    await log.close()
    const copy = await copyStore()
    log = await LevelUpdateLog.open({ folder: copy, create: false })
    for (const name of authors.keys()) sound.set(name, await log.read(name as DocumentId))
    await log.close()
  })
  afterAll(() => rm(root, { recursive: true }))

  async function copyStore(): Promise<string> {
    const copy = join(root, `copy-${copies++}`)
    await cp(store, copy, { recursive: true })
    return copy
  }

  async function filesOf(pattern: RegExp): Promise<string[]> {
    const names = (await readdir(store)).filter(name => pattern.test(name)).sort()
    expect(names.length).toBeGreaterThan(0)
    return names
  }

  /** Repairs it, and holds what comes out to what was there. */
  async function repair(folder: string, what: string) {
    const before = await snapshotOf(folder)
    const scratch = join(root, `scratch-${copies++}`)
    await mkdir(scratch)
    const documents = new Map<string, RepairedDocument>()
    const problems: string[] = []
    for await (const item of repairStore(folder, scratch)) {
      if (item.type === 'problem') problems.push(item.problem)
      else documents.set(item.repaired.documentId, item.repaired)
    }
    await rm(scratch, { recursive: true })
    expect(await snapshotOf(folder), `${what}: nothing is written to the damaged one`).toEqual(before)
    for (const [name, repaired] of documents) judge(name, repaired, what)
    return { documents, problems }
  }

  async function snapshotOf(folder: string): Promise<string[]> {
    const names = (await readdir(folder)).sort()
    const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
    return Promise.all(names.map(async name => `${name} ${hashOf(await readFile(join(folder, name)))}`))
  }

  function judge(name: string, repaired: RepairedDocument, what: string): void {
    const { document, state, lost, leftOut } = repaired
    if (document === null) {
      expect(state, what).toBe('lost')
      return
    }
    const doc = new Y.Doc()
    expect(checkStoredDocument(document, { doc }), `${what}: ${name}`).toEqual([])
    if (state === 'deleted') {
      expect(name, what).toBe('document/5')
      return
    }
    // Documents that were given a name of ours: their content is somebody's all the same.
    const author = authors.get(name) ?? [...authors.values()].find(({ doc: own }) => holds(own, doc))
    expect(author !== undefined && holds(author.doc, doc), `${what}: ${name} has nothing that nobody wrote`).toBe(true)
    const isMissing = (seq: number) => [...lost, ...leftOut].some(([from, to]) => seq >= from && seq <= to)
    author?.updates.slice(0, document.head).forEach((update, i) => {
      if (!isMissing(i + 1) && !hasUpdate(doc, update)) throw new Error(`${what}: ${name} lacks entry ${i + 1}`)
    })
  }

  it('is the same where nothing is damaged', async () => {
    const { documents, problems } = await repair(await copyStore(), 'nothing')
    expect(problems).toEqual([])
    expect([...documents.keys()].sort()).toEqual([...authors.keys()].sort())
    for (const [name, { document, state }] of documents) {
      expect([name, state]).toEqual([name, name === 'document/5' ? 'deleted' : 'whole'])
      expect(digest(document), name).toBe(digest(sound.get(name)))
    }
  })

  it.each([
    ['CURRENT', /^CURRENT$/],
    ['the manifest', /^MANIFEST-/],
  ])('lacks nothing where %s is missing, cut off or has a flipped bit', async (_, pattern) => {
    const [name = ''] = await filesOf(pattern)
    const damages = [
      (file: string) => rm(file),
      (file: string) => truncate(file, 7),
      (file: string) => flip(file, random),
    ]
    for (const damage of damages) {
      const folder = await copyStore()
      await damage(join(folder, name))
      const { documents, problems } = await repair(folder, name)
      expect(problems.length).toBeGreaterThan(0)
      for (const [document, { state }] of documents) {
        expect([document, state]).toEqual([document, document === 'document/5' ? 'deleted' : 'whole'])
      }
      expect(documents.size).toBe(authors.size)
      await rm(folder, { recursive: true })
    }
  })

  it.each([
    ['a table', /\.(ldb|sst)$/],
    ['the log', /\.log$/],
  ])('has every record of %s with a flipped bit that isn’t hit, and says what is lost', async (_, pattern) => {
    const files = await filesOf(pattern)
    let unharmed = 0
    let lost = 0
    for (let round = 0; round < rounds.bitFlips / 2; round++) {
      const folder = await copyStore()
      const name = files[random.below(files.length)] ?? ''
      const place = await flip(join(folder, name), random)
      const { documents, problems } = await repair(folder, `${name}, byte ${place}`)
      const harmed = [...documents.values()].filter(({ state }) => state === 'repaired' || state === 'lost')
      // Some bytes of a table mean nothing for its records: of an empty filter, say.
      if (problems.length === 0) expect(harmed, `${name}, byte ${place}`).toEqual([])
      if (harmed.length === 0) unharmed++
      for (const document of harmed) for (const [from, to] of document.lost) lost += to - from + 1
      await rm(folder, { recursive: true })
    }
    // One record, or (where LevelDB's own lengths are hit) those up to the next beginning.
    expect(lost).toBeLessThan(rounds.bitFlips * 8)
    expect(unharmed).toBeLessThan(rounds.bitFlips / 2)
  })

  it('has everything that is left where a table or a log is cut off or missing', async () => {
    for (const name of await filesOf(/\.(ldb|sst|log)$/)) {
      for (const isMissing of [true, false]) {
        const folder = await copyStore()
        const file = join(folder, name)
        if (isMissing) await rm(file)
        else await truncate(file, random.below((await readFile(file)).length))
        const { problems } = await repair(folder, `${name} ${isMissing ? 'missing' : 'cut off'}`)
        // A log that ends between two records looks like one of a moment before.
        if (isMissing || !name.endsWith('.log')) expect(problems.length, name).toBeGreaterThan(0)
        await rm(folder, { recursive: true })
      }
    }
  })

  it('has a table whose index is broken, block by block', async () => {
    const tables = await filesOf(/\.(ldb|sst)$/)
    for (const name of tables) {
      const folder = await copyStore()
      const bytes = await readFile(join(folder, name))
      bytes.fill(0xff, bytes.length - 48)
      await writeFile(join(folder, name), bytes)
      const { documents, problems } = await repair(folder, name)
      expect(problems).toContain(`${name}: its index is broken`)
      for (const [document, { state }] of documents) {
        expect([name, document, state]).toEqual([name, document, document === 'document/5' ? 'deleted' : 'whole'])
      }
      await rm(folder, { recursive: true })
    }
  })

  it('names the entries that are lost, and those that build on them', async () => {
    const { hash, name } = documentKey('document/4' as DocumentId)
    const cases: [string, (level: LevelStore) => Promise<void>, Partial<RepairedDocument>][] = [
      [
        'an entry in the middle',
        level => damage(level, recordKey(hash, recordKind.entry, 10)),
        { state: 'repaired', lost: [[10, 10]], leftOut: [[11, 25]] },
      ],
      [
        'the last entries',
        async level => {
          for (const seq of [24, 25]) await damage(level, recordKey(hash, recordKind.entry, seq))
        },
        { state: 'repaired', lost: [[24, 25]], leftOut: [] },
      ],
      ['its row', level => damage(level, rowKey(hash)), { state: 'repaired', lost: [], leftOut: [] }],
      ['its name', level => damage(level, nameKey(name)), { state: 'repaired', lost: [], leftOut: [] }],
    ]
    for (const [what, harm, expected] of cases) {
      const folder = await copyStore()
      // So that no older version is left in LevelDB's files.
      const level = new LevelStore(folder)
      await level.open(false)
      await harm(level)
      await level.compactRange(Buffer.from([0]), Buffer.from([255]))
      await level.close()
      const { documents } = await repair(folder, what)
      expect([what, documents.get('document/4')]).toEqual([what, expect.objectContaining(expected)])
      await rm(folder, { recursive: true })
    }
  })

  it('calls a document without a name by its hash', async () => {
    const folder = await copyStore()
    const level = new LevelStore(folder)
    await level.open(false)
    const { hash, name } = documentKey('document/4' as DocumentId)
    await level.write([{ type: 'del', key: nameKey(name) }])
    await level.compactRange(Buffer.from([0]), Buffer.from([255]))
    await level.close()
    const { documents } = await repair(folder, 'no name')
    expect(documents.get(`recovered/${hash.toString('hex')}`)).toMatchObject({ state: 'repaired', lost: [] })
  })

  it('is refused where it is of a newer format, or nothing of ours', async () => {
    const folder = await copyStore()
    const level = new LevelStore(folder)
    await level.open(false)
    await level.write([{ type: 'put', key: sentinelKey, value: encodeSentinel(2, Buffer.alloc(16), time) }])
    await level.close()
    await expect(repair(folder, 'newer')).rejects.toMatchObject({ code: 'STORE_TOO_NEW' })
    const foreign = join(root, 'foreign')
    await mkdir(foreign)
    const other = new LevelStore(foreign)
    await other.open(true)
    await other.write([{ type: 'put', key: Buffer.from('x'), value: Buffer.from('y') }])
    await other.close()
    await expect(repair(foreign, 'foreign')).rejects.toMatchObject({ code: 'STORE_FOREIGN' })
  })
})

async function damage(level: LevelStore, key: Buffer): Promise<void> {
  const [value] = await level.get([key])
  if (value === undefined) throw new Error('no such record')
  value[value.length >> 1] = (value[value.length >> 1] ?? 0) ^ 1
  await level.write([{ type: 'put', key, value }])
}

async function flip(file: string, random: Random): Promise<number> {
  const bytes = await readFile(file)
  const place = random.below(bytes.length)
  bytes[place] = (bytes[place] ?? 0) ^ (1 << random.below(8))
  await writeFile(file, bytes)
  return place
}

/** Whether `whole` has all that `part` has. Both only ever grew at their ends. */
function holds(whole: Y.Doc, part: Y.Doc): boolean {
  return whole.getText('text').toString().startsWith(part.getText('text').toString())
}

/** Whether a document has all that an update inserts. */
function hasUpdate(doc: Y.Doc, update: Uint8Array): boolean {
  const { structs } = readUpdate(update, NO_LIMITS)
  return [...structs].every(([clientID, { end }]) => Y.getState(doc.store, clientID) >= end)
}

function digest(document: StoredDocument | null | undefined): string {
  const hash = createHash('sha256')
  const { head, snapshotSeq, keptAfter, deletedAt, snapshot, knowledge, entries = [] } = document ?? {}
  hash.update(JSON.stringify([head, snapshotSeq, keptAfter, deletedAt]))
  for (const bytes of [snapshot, knowledge, ...entries.map(({ update }) => update)]) hash.update(bytes ?? 'none')
  return hash.digest('hex')
}
