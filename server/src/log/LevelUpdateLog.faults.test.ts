import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { copyFile, cp, mkdir, mkdtemp, readdir, readFile, rm, rmdir, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DocumentId } from '@weft/protocol'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { fillDiskUnderLog } from '../../../test/fillDiskUnderLog.ts'
import { rounds, roundsTimeoutMs } from '../../../test/rounds.ts'
import { WeftError } from '../errors.ts'
import { LevelStore } from './LevelStore.ts'
import { LevelUpdateLog } from './LevelUpdateLog.ts'
import {
  documentKey,
  encodeSentinel,
  pieceKey,
  pieceRange,
  recordKey,
  recordKind,
  rowKey,
  sentinelKey,
} from './levelRecord.ts'
import type { Append, StoredDocument } from './UpdateLog.ts'

const time = 1_790_000_000_000
const seed = Number(process.env.WEFT_TEST_SEED ?? Math.floor(Math.random() * 2 ** 32))

/** mulberry32: [0, 1) */
function randomNumbers(from: number): () => number {
  let state = from
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

function adding(random: () => number, documentId: string, after: number, count: number, size = 40): Append {
  const update = (): Uint8Array =>
    Uint8Array.from({ length: 1 + Math.floor(random() * size) }, () => Math.floor(random() * 64))
  return { documentId: documentId as DocumentId, after, updates: Array.from({ length: count }, update), time }
}

/** A store as it is after some life: tables on disk, a snapshot, a deletion, the last writes in LevelDB's log alone. */
async function makeStore(folder: string, random: () => number): Promise<string[]> {
  let log = await LevelUpdateLog.open({ folder, create: true })
  const heads = new Map<string, number>()
  const write = async (documentId: string, count: number, size?: number): Promise<void> => {
    const after = heads.get(documentId) ?? 0
    await log.append([adding(random, documentId, after, count, size)])
    heads.set(documentId, after + count)
  }
  for (let i = 0; i < 8; i++) await write(`document/${i}`, 30)
  await write('large', 3, 30_000)
  const id = 'document/0' as DocumentId
  const snapshot = Uint8Array.from({ length: 20_000 }, () => Math.floor(random() * 256))
  const knowledge = Uint8Array.of(1, 2, 3)
  await log.compact({
    documentId: id,
    snapshotSeq: 25,
    snapshot,
    knowledge,
    keptAfter: 20,
    keptStateVector: Uint8Array.of(4),
  })
  await log.close()
  log = await LevelUpdateLog.open({ folder, create: false })
  for (let i = 0; i < 4; i++) await write(`document/${i}`, 5)
  await write('small', 1)
  await log.delete('document/7' as DocumentId, time)
  await log.close()
  log = await LevelUpdateLog.open({ folder, create: false })
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 3; i++) await write(`document/${i}`, 2)
    await write(`new/${round}`, 1)
  }
  await log.close()
  return [...heads.keys(), 'never written']
}

type Reading = Map<string, StoredDocument>

/** For comparing: vitest's own comparison of thousands of byte arrays takes a second. */
function digest(document: StoredDocument | undefined): string {
  if (document === undefined) return 'unknown'
  const hex = (bytes: Uint8Array | null): string => (bytes ? createHash('sha256').update(bytes).digest('hex') : 'none')
  const { entries, snapshot, knowledge, keptStateVector, ...rest } = document
  const list = entries.map(entry => `${entry.seq} ${entry.time} ${hex(entry.update)}`)
  return [
    JSON.stringify(Object.entries(rest).sort()),
    ...[snapshot, knowledge, keptStateVector].map(hex),
    ...list,
  ].join('\n')
}

async function readAll(
  log: LevelUpdateLog,
  ids: string[],
): Promise<{ reading: Reading; errors: Map<string, WeftError> }> {
  const reading: Reading = new Map()
  const errors = new Map<string, WeftError>()
  for (const id of ids) {
    try {
      reading.set(id, await log.read(id as DocumentId))
    } catch (error) {
      if (!(error instanceof WeftError)) throw error
      errors.set(id, error)
    }
  }
  return { reading, errors }
}

const kinds = {
  CURRENT: /^CURRENT$/,
  manifest: /^MANIFEST-/,
  log: /\.log$/,
  table: /\.(ldb|sst)$/,
} as const

// A minute is for the long run.
describe(`LevelUpdateLog on a damaged folder (WEFT_TEST_SEED=${seed})`, { timeout: roundsTimeoutMs }, () => {
  const random = randomNumbers(seed)
  const below = (bound: number): number => Math.floor(random() * bound)
  let root: string
  let store: string
  let ids: string[]
  let sound: Reading

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'weft-faults-'))
    store = join(root, 'store')
    ids = await makeStore(store, random)
    // From a copy: reading opens it, and opening turns LevelDB's log into a table.
    const copy = await copyStore()
    const log = await LevelUpdateLog.open({ folder: copy, create: false })
    const { reading, errors } = await readAll(log, ids)
    await log.close()
    expect([errors.size, log.warnings]).toEqual([0, []])
    sound = reading
  })
  afterAll(() => rm(root, { recursive: true }))

  /** The LevelDB below a log, which is closed for it. */
  async function levelOf(log: LevelUpdateLog, folder: string): Promise<LevelStore> {
    await log.close()
    const level = new LevelStore(folder)
    await level.open(false)
    return level
  }

  let copies = 0
  async function copyStore(): Promise<string> {
    const copy = join(root, `copy-${copies++}`)
    await cp(store, copy, { recursive: true })
    return copy
  }

  async function filesOf(kind: keyof typeof kinds): Promise<string[]> {
    const names = (await readdir(store)).filter(name => kinds[kind].test(name)).sort()
    expect(names.length).toBeGreaterThan(0)
    return names
  }

  interface Judging {
    readonly checkedTableBytes?: number
    /** Whether records at the end of LevelDB's log may be missing without a warning. */
    readonly mayEndEarlier?: boolean
    readonly ids?: string[]
    readonly sound?: Reading
  }

  /** What became of a damaged store. Fails where anything reads differently without a word. */
  async function judge(
    folder: string,
    what: string,
    judging: Judging = {},
  ): Promise<'refused' | 'detected' | 'warned' | 'as before'> {
    const expected = judging.sound ?? sound
    const { checkedTableBytes = 64 << 20 } = judging
    let log: LevelUpdateLog
    try {
      log = await LevelUpdateLog.open({ folder, create: true, checkedTableBytes })
    } catch (error) {
      if (!(error instanceof WeftError)) throw error
      expect(['STORE_DAMAGED', 'STORE_FOREIGN', 'STORAGE_READ_FAILED', 'STORE_TOO_NEW'], what).toContain(error.code)
      expect(error.message, what).toContain(folder)
      return 'refused'
    }
    const { reading, errors } = await readAll(log, judging.ids ?? ids)
    for (const [id, error] of errors) {
      expect(['DOCUMENT_DAMAGED', 'STORAGE_READ_FAILED'], what).toContain(error.code)
      if (error.code !== 'DOCUMENT_DAMAGED') continue
      expect([error.documentId, error.message], what).toEqual([id, expect.stringContaining(id)])
      const append = log.append([adding(random, id, expected.get(id)?.head ?? 0, 1)])
      await expect(append, what).rejects.toMatchObject({ code: 'DOCUMENT_DAMAGED', documentId: id })
    }
    await log.close()
    const mayEndEarlier = judging.mayEndEarlier === true || log.warnings.length > 0
    for (const [id, document] of reading) {
      if (mayEndEarlier) expectEarlier(document, expected.get(id), `${what}: ${id}`)
      else expect(digest(document), `${what}: ${id}`).toBe(digest(expected.get(id)))
    }
    if (errors.size > 0) return 'detected'
    return log.warnings.length > 0 ? 'warned' : 'as before'
  }

  /** As the document was some moments before: the last records of LevelDB's log are gone. */
  function expectEarlier(document: StoredDocument, whole: StoredDocument | undefined, what: string): void {
    const lost = (whole?.head ?? 0) - document.head
    expect(lost, what).toBeGreaterThanOrEqual(0)
    if (whole === undefined) return
    const entries = whole.entries.slice(0, whole.entries.length - lost)
    expect(digest(document), what).toBe(digest({ ...whole, head: document.head, entries }))
  }

  for (const kind of ['CURRENT', 'manifest', 'log', 'table'] as const) {
    it(`never reads anything else after a flipped bit in a file of kind ${kind}`, async () => {
      const outcomes = new Map<string, number>()
      const files = await filesOf(kind)
      for (let round = 0; round < rounds.bitFlips; round++) {
        const folder = await copyStore()
        const name = files[below(files.length)] ?? ''
        const bytes = await readFile(join(folder, name))
        const place = below(bytes.length)
        bytes[place] = (bytes[place] ?? 0) ^ (1 << below(8))
        await writeFile(join(folder, name), bytes)
        const outcome = await judge(folder, `${name}, byte ${place} of ${bytes.length}`)
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
        await rm(folder, { recursive: true })
      }
      // All bytes of these files mean something: LevelDB pads only at the ends of blocks.
      expect(outcomes.get('as before') ?? 0, JSON.stringify([...outcomes])).toBe(0)
      expect(outcomes.get('refused') ?? 0).toBeGreaterThan(0)
    })
  }

  it('finds flipped bits by its own records in a table that is not checked at the start', async () => {
    const big = join(root, 'big')
    const names = Array.from({ length: 12 }, (_, i) => `big/${i}`)
    let log = await LevelUpdateLog.open({ folder: big, create: true })
    for (const name of names) await log.append([adding(random, name, 0, 100, 4000)])
    await log.close()
    log = await LevelUpdateLog.open({ folder: big, create: false })
    const { reading } = await readAll(log, names)
    await log.close()
    const [table = ''] = (await readdir(big)).filter(name => kinds.table.test(name))
    const whole = await readFile(join(big, table))
    expect(whole.length, 'larger than smallTableBytes').toBeGreaterThan(1.1 * 2 ** 20)
    let detected = 0
    const options = { checkedTableBytes: 0, ids: names, sound: reading }
    for (let round = 0; round < rounds.bitFlips; round++) {
      const bytes = Buffer.from(whole)
      const place = below(bytes.length)
      bytes[place] = (bytes[place] ?? 0) ^ (1 << below(8))
      await writeFile(join(big, table), bytes)
      const outcome = await judge(big, `byte ${place} of ${bytes.length}`, options)
      if (outcome === 'detected') detected++
      expect(bytes.equals(await readFile(join(big, table))), 'nothing was repaired silently').toBe(true)
    }
    expect(detected).toBeGreaterThan(rounds.bitFlips / 2)
  })

  it('says that a document is damaged whose key has lost bytes, or gained some', async () => {
    const { hash } = documentKey('document/1' as DocumentId)
    const far = recordKey(hash, recordKind.entry, 2 ** 41)
    for (const key of [far.subarray(0, 20), Buffer.concat([recordKey(hash, recordKind.entry, 3), Buffer.of(0)])]) {
      const folder = await copyStore()
      const level = new LevelStore(folder)
      await level.open(false)
      await level.write([{ type: 'put', key, value: Buffer.from('x') }])
      await level.close()
      const log = await LevelUpdateLog.open({ folder, create: false })
      await expect(log.read('document/1' as DocumentId)).rejects.toMatchObject({ code: 'DOCUMENT_DAMAGED' })
      await log.close()
      await rm(folder, { recursive: true })
    }
  })

  it('reads an earlier moment, or says that it is damaged, after its log was cut off', async () => {
    const [name = ''] = await filesOf('log')
    for (let round = 0; round < rounds.truncations; round++) {
      const folder = await copyStore()
      const { length } = await readFile(join(folder, name))
      const place = below(length)
      await truncate(join(folder, name), place)
      expect(await judge(folder, `cut off at ${place} of ${length}`, { mayEndEarlier: true })).not.toBe('refused')
      await rm(folder, { recursive: true })
    }
  })

  it('never reads anything else after its manifest or a table was cut off', async () => {
    for (const kind of ['manifest', 'table'] as const) {
      for (const name of await filesOf(kind)) {
        const folder = await copyStore()
        const { length } = await readFile(join(folder, name))
        await truncate(join(folder, name), below(length))
        expect(await judge(folder, name)).toBe('refused')
        await rm(folder, { recursive: true })
      }
    }
  })

  it('refuses a folder in which a file is missing, and names the file', async () => {
    for (const kind of ['CURRENT', 'manifest', 'log', 'table'] as const) {
      for (const name of await filesOf(kind)) {
        const folder = await copyStore()
        await rm(join(folder, name))
        const opening = LevelUpdateLog.open({ folder, create: true })
        const named = kind === 'manifest' ? 'CURRENT' : name.replace(/^0*|\.\w+$/g, '')
        await expect(opening, name).rejects.toMatchObject({
          code: 'STORE_DAMAGED',
          message: expect.stringContaining(named),
        })
        expect(await readdir(folder)).not.toContain(name)
        await rm(folder, { recursive: true })
      }
    }
  })

  it('finds every record of a document that is missing, in another place, or another document’s', async () => {
    const victim = documentKey('document/1' as DocumentId)
    const donor = documentKey('document/2' as DocumentId)
    const { head = 0 } = sound.get('document/1') ?? {}
    const damages: [string, (level: LevelStore) => Promise<void>][] = []
    const remove = (key: Buffer) => (level: LevelStore) => level.write([{ type: 'del', key }])
    for (const seq of [1, 2, head - 1, head])
      damages.push([`entry ${seq} missing`, remove(recordKey(victim.hash, recordKind.entry, seq))])
    damages.push(['row missing', remove(rowKey(victim.hash))])
    damages.push(['name missing', remove(Buffer.concat([Buffer.from('n'), victim.name]))])
    const copyRecord = (from: Buffer, to: Buffer) => async (level: LevelStore) => {
      const [value] = await level.get([from])
      if (value) await level.write([{ type: 'put', key: to, value }])
    }
    const entry = (key: typeof victim, seq: number): Buffer => recordKey(key.hash, recordKind.entry, seq)
    damages.push(['entry of another place', copyRecord(entry(victim, 3), entry(victim, 4))])
    damages.push(["another document's entry", copyRecord(entry(donor, 4), entry(victim, 4))])
    damages.push(['entry behind the head', copyRecord(entry(victim, head), entry(victim, head + 1))])
    damages.push(["another document's row", copyRecord(rowKey(donor.hash), rowKey(victim.hash))])
    for (const [what, damage] of damages) {
      const folder = await copyStore()
      const level = new LevelStore(folder)
      await level.open(false)
      await damage(level)
      await level.close()
      const log = await LevelUpdateLog.open({ folder, create: false })
      await expect(log.open(victim.documentId), what).rejects.toMatchObject({
        code: 'DOCUMENT_DAMAGED',
        documentId: 'document/1',
      })
      await expect(log.append([adding(random, 'document/1', head, 1)]), what).rejects.toMatchObject({
        code: 'DOCUMENT_DAMAGED',
      })
      expect(await log.read(donor.documentId)).toEqual(sound.get('document/2'))
      await log.close()
      await rm(folder, { recursive: true })
    }
  })

  it('finds a piece of a snapshot that is missing, damaged, of another place or of an earlier snapshot', async () => {
    const key = documentKey('document/1' as DocumentId)
    const folder = await copyStore()
    const log = await LevelUpdateLog.open({ folder, create: false })
    const { head } = await log.open(key.documentId)
    const snapshot = randomBytes(3_000_000)
    const compaction = { documentId: key.documentId, knowledge: Uint8Array.of(1), keptStateVector: Uint8Array.of(2) }
    await log.compact({ ...compaction, snapshot, snapshotSeq: head - 1, keptAfter: head - 2 })
    const level = await levelOf(log, folder)
    const [[, early = Buffer.of()] = []] = await level.scan(...pieceRange(key.hash))
    await level.close()
    const again = await LevelUpdateLog.open({ folder, create: false })
    await again.compact({ ...compaction, snapshot, snapshotSeq: head, keptAfter: head - 2 })
    const second = await levelOf(again, folder)
    const pieces = await second.scan(...pieceRange(key.hash))
    await second.close()
    expect(pieces.length).toBe(3)
    const [[firstKey, first], [middleKey, middle]] = pieces as [[Buffer, Buffer], [Buffer, Buffer]]
    const flipped = Buffer.from(middle)
    flipped[5000] = (flipped[5000] ?? 0) ^ 1
    const last = pieces.at(-1)?.[0] ?? firstKey
    for (const [what, place, value] of [
      ['first missing', firstKey, null],
      ['middle missing', middleKey, null],
      ['last missing', last, null],
      ['flipped', middleKey, flipped],
      ['shorter', last, first],
      ['of an earlier snapshot', firstKey, early],
    ] as const) {
      const damaged = join(root, `copy-${copies++}`)
      await cp(folder, damaged, { recursive: true })
      const level = new LevelStore(damaged)
      await level.open(false)
      await level.write([value === null ? { type: 'del', key: place } : { type: 'put', key: place, value }])
      await level.close()
      const opened = await LevelUpdateLog.open({ folder: damaged, create: false })
      await expect(opened.read(key.documentId), what).rejects.toMatchObject({ code: 'DOCUMENT_DAMAGED' })
      await opened.close()
      await rm(damaged, { recursive: true })
    }
    await rm(folder, { recursive: true })
  })

  it('reads past what a compaction left that was cut short, and the next one takes it away', async () => {
    const key = documentKey('document/1' as DocumentId)
    const folder = await copyStore()
    const level = new LevelStore(folder)
    await level.open(false)
    for (const generation of [0, 1]) {
      const left = [0, 1, 2].map(piece => pieceKey(key.hash, generation, piece))
      await level.write(left.map(key => ({ type: 'put', key, value: Buffer.from('left') })))
    }
    await level.close()
    const log = await LevelUpdateLog.open({ folder, create: false })
    expect(await log.read(key.documentId)).toEqual(sound.get('document/1'))
    const { head } = await log.open(key.documentId)
    const snapshot = randomBytes(100)
    await log.compact({
      documentId: key.documentId,
      snapshotSeq: head,
      snapshot,
      knowledge: Uint8Array.of(1),
      keptAfter: head,
      keptStateVector: Uint8Array.of(2),
    })
    expect(snapshot.equals((await log.read(key.documentId)).snapshot ?? Buffer.of())).toBe(true)
    const after = await levelOf(log, folder)
    expect((await after.keys(...pieceRange(key.hash))).length).toBe(1)
    await after.close()
  })

  it('finds a whole document that is missing but for its name', async () => {
    const folder = await copyStore()
    const level = new LevelStore(folder)
    await level.open(false)
    const { hash } = documentKey('new/3' as DocumentId)
    const keys = [recordKey(hash, recordKind.entry, 1), rowKey(hash)]
    await level.write(keys.map(key => ({ type: 'del', key })))
    await level.close()
    const log = await LevelUpdateLog.open({ folder, create: false })
    const damaged = { code: 'DOCUMENT_DAMAGED', documentId: 'new/3' }
    await expect(log.append([adding(random, 'new/3', 0, 1)])).rejects.toMatchObject(damaged)
    await expect(log.open('new/3' as DocumentId)).rejects.toMatchObject(damaged)
    await log.close()
  })
})

describe('LevelUpdateLog at its start', () => {
  let root: string
  let folder: string
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'weft-start-'))
    folder = join(root, 'a', 'b')
  })
  afterEach(() => rm(root, { recursive: true }))

  const opening = (create: boolean): Promise<LevelUpdateLog> => LevelUpdateLog.open({ folder, create })

  it('makes a store at an explicit first start only', async () => {
    await expect(opening(false)).rejects.toMatchObject({ code: 'STORE_MISSING' })
    expect(await readdir(root)).toEqual([])
    const first = await opening(true)
    await first.close()
    const second = await opening(false)
    expect(second.storeId).toBe(first.storeId)
    expect(second.storeId).toMatch(/^[0-9a-f]{32}$/)
    await second.close()
  })

  it('goes on with a first start that was cut short', async () => {
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'FIRST_START'), '')
    await writeFile(join(folder, 'MANIFEST-000001'), 'half')
    const log = await opening(true)
    await log.close()
    expect(await readdir(folder)).not.toContain('FIRST_START')
    const again = new LevelStore(folder)
    await again.open(false)
    await again.write([{ type: 'del', key: sentinelKey }])
    await again.close()
    await writeFile(join(folder, 'FIRST_START'), '')
    await (await opening(true)).close()
  })

  it('refuses what is not a store of ours', async () => {
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'letter.txt'), 'dear')
    await expect(opening(true)).rejects.toMatchObject({
      code: 'STORE_FOREIGN',
      message: expect.stringContaining('letter.txt'),
    })
    await rm(join(folder, 'letter.txt'))
    const level = new LevelStore(folder)
    await level.open(true)
    await level.write([{ type: 'put', key: Buffer.from('a'), value: Buffer.from('b') }])
    await level.close()
    await expect(opening(true)).rejects.toMatchObject({
      code: 'STORE_FOREIGN',
      message: expect.stringContaining('sentinel'),
    })
    await rm(folder, { recursive: true })
    await writeFile(folder, 'a file')
    await expect(opening(true)).rejects.toMatchObject({ code: 'STORE_FOREIGN' })
  })

  it('refuses a store of a newer format', async () => {
    await (await opening(true)).close()
    const level = new LevelStore(folder)
    await level.open(false)
    await level.write([{ type: 'put', key: sentinelKey, value: encodeSentinel(2, Buffer.alloc(16), time) }])
    await level.close()
    await expect(opening(true)).rejects.toMatchObject({
      code: 'STORE_TOO_NEW',
      message: expect.stringContaining('format 2'),
    })
  })

  it('gives back the space of many documents', async () => {
    const log = await opening(true)
    const ids = Array.from({ length: 150 }, (_, i) => `document/${i}`)
    const entry = (documentId: string, after: number) =>
      ({
        documentId: documentId as DocumentId,
        after,
        updates: [new Uint8Array(randomBytes(40_000))],
        time,
      }) satisfies Append
    for (const id of ids) await log.append([entry(id, 0)])
    await log.append([entry('kept', 0)])
    for (const id of ids) await log.delete(id as DocumentId, time)
    await log.reclaim()
    expect((await log.stats()).bytes).toBeLessThan(1_000_000)
    expect((await log.open('kept' as DocumentId)).entries).toHaveLength(1)
    await log.close()
  })

  it('refuses a folder that is open already, with a plain word', async () => {
    const log = await opening(true)
    await expect(opening(true)).rejects.toMatchObject({
      code: 'STORE_LOCKED',
      message: expect.stringContaining('in use'),
    })
    await log.append([adding(Math.random, 'x', 0, 1)])
    await log.close()
  })
})

describe.runIf(process.platform === 'linux')('LevelUpdateLog after a failed write', () => {
  let root: string
  let folder: string
  let log: LevelUpdateLog
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'weft-failed-'))
    folder = join(root, 'store')
    log = await LevelUpdateLog.open({ folder, create: true })
  })
  afterEach(async () => {
    await log.close()
    await rm(root, { recursive: true })
  })

  const update = (...values: number[]): Uint8Array => Uint8Array.from(values)
  const append = (documentId: string, after: number, ...updates: Uint8Array[]): Promise<void> =>
    log.append([{ documentId: documentId as DocumentId, after, updates, time }])
  const updatesOf = async (documentId: string): Promise<Uint8Array[]> =>
    (await log.open(documentId as DocumentId)).entries.map(entry => entry.update)

  it('refuses writes and goes on reading, until reopened', async () => {
    await append('notes', 0, update(1), update(2))
    fillDiskUnderLog(folder)
    await expect(append('notes', 2, update(3))).rejects.toMatchObject({ code: 'STORAGE_WRITE_FAILED' })
    expect(log.state).toBe('failed')
    expect(await log.isWritable()).toBe(false)
    await expect(append('other', 0, update(1))).rejects.toMatchObject({ code: 'STORAGE_WRITE_FAILED' })
    await expect(log.delete('notes' as DocumentId, time)).rejects.toMatchObject({ code: 'STORAGE_WRITE_FAILED' })
    expect(await updatesOf('notes')).toEqual([update(1), update(2)])

    const reopening = log.reopen()
    expect(await updatesOf('notes')).toEqual([update(1), update(2)])
    await reopening
    expect(log.state).toBe('open')
    await append('notes', 2, update(4))
    expect(await updatesOf('notes')).toEqual([update(1), update(2), update(4)])
  })

  it('stays failed and readable as long as there is no place to write', async () => {
    await append('notes', 0, update(1))
    fillDiskUnderLog(folder)
    await expect(append('notes', 1, update(2))).rejects.toMatchObject({ code: 'STORAGE_WRITE_FAILED' })
    await mkdir(join(folder, 'PROBE')) // in the way of the file that would be written to try
    await expect(log.reopen()).rejects.toMatchObject({ code: 'STORAGE_WRITE_FAILED' })
    expect(log.state).toBe('failed')
    expect(await updatesOf('notes')).toEqual([update(1)])
    await rmdir(join(folder, 'PROBE'))
    await log.reopen()
    await append('notes', 1, update(3))
    expect(await updatesOf('notes')).toEqual([update(1), update(3)])
  })

  it('takes back what a rejected write has left on the disk all the same', async () => {
    await append('notes', 0, update(1))
    await log.close()
    const twin = join(root, 'twin')
    await cp(folder, twin, { recursive: true })

    log = await LevelUpdateLog.open({ folder, create: false })
    fillDiskUnderLog(folder)
    const batch = [
      { documentId: 'notes' as DocumentId, after: 1, updates: [update(2), update(3)], time },
      { documentId: 'fresh' as DocumentId, after: 0, updates: [update(4)], time },
    ]
    await expect(log.append(batch)).rejects.toMatchObject({ code: 'STORAGE_WRITE_FAILED' })

    // The same write in a twin succeeds: its log is what an fsync that failed late would have left here.
    const succeeding = await LevelUpdateLog.open({ folder: twin, create: false })
    await succeeding.append(batch)
    await succeeding.close()
    const [name = ''] = (await readdir(folder)).filter(file => file.endsWith('.log'))
    await copyFile(join(twin, name), join(folder, name))

    await log.reopen()
    expect(await updatesOf('notes')).toEqual([update(1)])
    expect(await updatesOf('fresh')).toEqual([])
    const names: string[] = []
    for await (const document of log.list()) names.push(document.documentId)
    expect(names).toEqual(['notes'])
    await append('notes', 1, update(9))
    await append('fresh', 0, update(8))
    expect([await updatesOf('notes'), await updatesOf('fresh')]).toEqual([[update(1), update(9)], [update(8)]])
  })

  it.runIf(canMount())(
    'survives a full disk and goes on when there is space again (needs root and mount)',
    async () => {
      const disk = join(root, 'disk')
      await mkdir(disk)
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', disk])
      try {
        const small = await LevelUpdateLog.open({ folder: join(disk, 'store'), create: true })
        const stored: Uint8Array[] = []
        let failed = false
        for (let i = 0; i < 40 && !failed; i++) {
          const bytes = new Uint8Array(randomBytes(500_000))
          await small.append([{ documentId: 'notes' as DocumentId, after: i, updates: [bytes], time }]).then(
            () => stored.push(bytes),
            error => {
              expect(error).toMatchObject({ code: 'STORAGE_WRITE_FAILED' })
              failed = true
            },
          )
        }
        expect([failed, small.state]).toEqual([true, 'failed'])
        const readBack = async (): Promise<void> => {
          const { entries } = await small.open('notes' as DocumentId)
          expect(entries.length).toBe(stored.length)
          entries.forEach((entry, i) => {
            expect(Buffer.compare(entry.update, stored[i] ?? update()), `entry ${i + 1}`).toBe(0)
          })
        }
        await readBack()
        await expect(small.reopen()).rejects.toMatchObject({ code: 'STORAGE_WRITE_FAILED' })
        await readBack()
        execFileSync('mount', ['-o', 'remount,size=64m', disk])
        await small.reopen()
        await readBack()
        const last = update(1, 2, 3)
        await small.append([{ documentId: 'notes' as DocumentId, after: stored.length, updates: [last], time }])
        stored.push(last)
        await readBack()
        await small.close()
        execFileSync('mount', ['-o', 'remount,ro', disk])
        const readOnly = LevelUpdateLog.open({ folder: join(disk, 'store'), create: true })
        await expect(readOnly).rejects.toMatchObject({ code: 'STORE_UNWRITABLE' })
      } finally {
        execFileSync('umount', ['-l', disk])
      }
    },
  )
})

function canMount(): boolean {
  if (process.getuid?.() !== 0) return false
  const place = execFileSync('mktemp', ['-d'], { encoding: 'utf8' }).trim()
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', place], { stdio: 'ignore' })
    execFileSync('umount', [place])
    return true
  } catch {
    return false
  } finally {
    execFileSync('rmdir', [place])
  }
}
