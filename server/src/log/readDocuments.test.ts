import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DocumentId } from '@weft/protocol'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestDocument } from '../../../test/support/digestDocument.ts'
import { buildLevelStore } from './buildLevelStore.ts'
import { LevelStore } from './LevelStore.ts'
import { LevelUpdateLog } from './LevelUpdateLog.ts'
import { documentKey, nameKey, pieceKey, recordKey, recordKind, rowKey } from './levelRecord.ts'
import { findStrays, readDocuments } from './readDocuments.ts'
import type { DamagedDocument, WholeDocument } from './UpdateLog.ts'

const time = 1_790_000_000_000
const names = ['a', 'gone', 'hurt', 'team/ü', 'z'] as DocumentId[]
const hurt = 'hurt' as DocumentId
const { hash, name } = documentKey(hurt)

const isWhole = (document: WholeDocument | DamagedDocument): document is WholeDocument => !('damage' in document)

describe('the documents of a store', () => {
  let root: string
  let folder: string

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'weft-documents-'))
    folder = join(root, 'data')
    const log = await LevelUpdateLog.open({ folder, create: true })
    const updates = Array.from({ length: 12 }, (_, i) => Uint8Array.of(i, i + 1, i + 2))
    await log.append(names.map(documentId => ({ documentId, after: 0, updates, time })))
    await log.compact({
      documentId: hurt,
      snapshotSeq: 8,
      snapshot: new Uint8Array(2_500_000).fill(7),
      knowledge: Uint8Array.of(1, 2, 3),
      keptAfter: 5,
      keptStateVector: Uint8Array.of(4),
    })
    await log.delete('gone' as DocumentId, time + 9)
    await log.close()
  })
  afterEach(() => rm(root, { recursive: true }))

  async function withStore<T>(use: (store: LevelStore) => Promise<T>): Promise<T> {
    const store = new LevelStore(folder)
    await store.open(false)
    try {
      return await use(store)
    } finally {
      await store.close()
    }
  }

  const read = () =>
    withStore(async store => {
      const found: (WholeDocument | DamagedDocument)[] = []
      for await (const document of readDocuments(store.view())) found.push(document)
      return found
    })

  const flip = (key: Buffer) =>
    withStore(async store => {
      const [value] = await store.get([key])
      if (value === undefined) throw new Error('there is no such record')
      value[value.length >> 1] = (value[value.length >> 1] ?? 0) ^ 4
      await store.write([{ type: 'put', key, value }])
    })

  const remove = (key: Buffer) => withStore(store => store.write([{ type: 'del', key }]))

  it.each<[string, () => Promise<void>, string]>([
    ['an entry', () => flip(recordKey(hash, recordKind.entry, 7)), 'entry 7: a record with a wrong checksum'],
    ['its row', () => flip(rowKey(hash)), 'a record with a wrong checksum'],
    ['its knowledge', () => flip(recordKey(hash, recordKind.compaction, 0)), 'entry 8: a record with a wrong checksum'],
    ['its snapshot', () => flip(pieceKey(hash, 0, 1)), 'entry 8: a record with a wrong checksum, in its snapshot'],
    ['its name', () => flip(nameKey(name)), 'a record with a wrong checksum under its name'],
    ['the loss of an entry', () => remove(recordKey(hash, recordKind.entry, 7)), 'entry 7: entry 8 in place of 7'],
    ['the loss of its row', () => remove(rowKey(hash)), 'its row is missing, its name is there'],
    [
      'the loss of its knowledge',
      () => remove(recordKey(hash, recordKind.compaction, 0)),
      'entry 8: its knowledge is missing',
    ],
    ['the loss of a piece', () => remove(pieceKey(hash, 0, 2)), 'entry 8: piece 3 of 3 of its snapshot is missing'],
  ])('come with what is damaged by name, and all others, where the damage is %s', async (_, damage, problem) => {
    const before = await read()
    expect(before.map(({ documentId }) => documentId)).toEqual(names)
    expect(before.every(isWhole)).toBe(true)
    await damage()
    const found = await read()
    const told = found.find(({ documentId }) => documentId === hurt)
    expect(told).toEqual({ documentId: hurt, damage: problem })
    const others = found.filter(document => document !== told && isWhole(document))
    const expected = before.filter(({ documentId }) => documentId !== hurt)
    expect(others.map(digestDocument)).toEqual(expected.map(digestDocument))
  })

  it('come with how many have lost their names; and what belongs to none is found', async () => {
    const strays = () => withStore(store => findStrays(store.view()))
    const put = (key: Buffer) => withStore(store => store.write([{ type: 'put', key, value: Buffer.from('y') }]))
    expect(await strays()).toBe(null)
    await remove(nameKey(name))
    expect((await read()).slice(4)).toEqual([{ documentId: null, damage: '1 of 5 documents without a name' }])
    expect(await strays()).toBe(null)
    await remove(rowKey(hash))
    expect(await read()).toHaveLength(4)
    expect(await strays()).toBe('records that belong to no document, in 1 place')
    await put(Buffer.from('x'))
    expect(await strays()).toBe('records that belong to no document, in 2 places')
    await put(Buffer.concat([nameKey(name), Buffer.of(0xff)]))
    expect((await read())[2]).toEqual({ documentId: null, damage: 'a name that no document has: "hurt\ufffd"' })
  })

  it('make another store that has them all', async () => {
    const documents = (await read()).filter(isWhole)
    const copy = join(root, 'copy')
    await buildLevelStore(
      copy,
      (async function* () {
        yield* documents
      })(),
    )
    expect(await readdir(copy)).not.toContain('FIRST_START')
    const log = await LevelUpdateLog.open({ folder: copy, create: false })
    const found: (WholeDocument | DamagedDocument)[] = []
    for await (const document of log.documents()) found.push(document)
    expect(found.map(digestDocument)).toEqual(documents.map(digestDocument))
    // It goes on like any other.
    await log.append([{ documentId: hurt, after: 12, updates: [Uint8Array.of(1)], time }])
    await log.revive('gone' as DocumentId)
    expect((await log.open('gone' as DocumentId)).head).toBe(12)
    await log.close()
  })

  it('make no store that a server takes where they end early, nor in a folder that holds something', async () => {
    const [first] = (await read()).filter(isWhole)
    const copy = join(root, 'copy')
    const cut = async function* (): AsyncGenerator<WholeDocument> {
      if (first !== undefined) yield first
      throw new Error('the end of the world')
    }
    await expect(buildLevelStore(copy, cut())).rejects.toThrow('the end of the world')
    // The first documents may have been written; a store it is not.
    const store = new LevelStore(copy)
    await store.open(false)
    await store.write([{ type: 'put', key: rowKey(hash), value: Buffer.from('half') }])
    await store.close()
    await expect(LevelUpdateLog.open({ folder: copy, create: true })).rejects.toMatchObject({ code: 'STORE_FOREIGN' })
    await expect(buildLevelStore(folder, cut())).rejects.toMatchObject({ code: 'STORE_FOREIGN' })
    expect(await read()).toHaveLength(5)
  })
})
