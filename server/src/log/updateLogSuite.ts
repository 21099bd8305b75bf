import { randomBytes } from 'node:crypto'
import type { DocumentId } from '@weft/protocol'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestDocument } from '../../../test/support/digestDocument.ts'
import type {
  Append,
  Compaction,
  DamagedDocument,
  ListedDocument,
  ListOptions,
  UpdateLog,
  WholeDocument,
} from './UpdateLog.ts'

/** A place for one log, made anew for every test. */
export interface LogPlace {
  /** Opens the log; again after `close`: what was stored is there. */
  open(): Promise<UpdateLog>
  /** All that is stored, in a form that differs when anything was written. The log is closed. */
  fingerprint(): Promise<string>
  remove(): Promise<void>
}

const notes = 'team/notes' as DocumentId
const other = 'team/other' as DocumentId
const time = 1_790_000_000_000

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

function updates(from: number, to: number): Uint8Array[] {
  return Array.from({ length: to - from + 1 }, (_, i) => bytes(1, (from + i) & 255, (from + i) >> 8))
}

function adding(documentId: DocumentId, after: number, count = 1): Append {
  return { documentId, after, updates: updates(after + 1, after + count), time: time + after }
}

function compaction(documentId: DocumentId, snapshotSeq: number, keptAfter: number, size = 5): Compaction {
  return {
    documentId,
    snapshotSeq,
    snapshot: new Uint8Array(size).fill(snapshotSeq & 255),
    knowledge: bytes(7, snapshotSeq & 255),
    keptAfter,
    keptStateVector: bytes(8, keptAfter & 255),
  }
}

const neverWritten = {
  head: 0,
  snapshotSeq: 0,
  snapshotBytes: 0,
  knowledge: null,
  keptAfter: 0,
  keptStateVector: null,
  entries: [],
  deletedAt: null,
}

/** The contract of `UpdateLog`, for every implementation. */
export function updateLogSuite(name: string, make: () => Promise<LogPlace>): void {
  describe(`${name} keeps the contract of UpdateLog`, () => {
    let place: LogPlace
    let log: UpdateLog
    const seqs = async (documentId: DocumentId): Promise<number[]> =>
      (await log.open(documentId)).entries.map(entry => entry.seq)
    const reopen = async (): Promise<void> => {
      await log.close()
      log = await place.open()
    }
    const listed = async (options?: ListOptions): Promise<ListedDocument[]> => {
      const found: ListedDocument[] = []
      for await (const document of log.list(options)) found.push(document)
      return found
    }
    const names = async (options?: ListOptions): Promise<string[]> =>
      (await listed(options)).map(document => document.documentId)

    beforeEach(async () => {
      place = await make()
      log = await place.open()
    })
    afterEach(async () => {
      await log.close()
      await place.remove()
    })

    it('opens a document that nobody has written as empty', async () => {
      expect(await log.open(notes)).toEqual(neverWritten)
      expect(await log.read(notes)).toEqual({ ...neverWritten, snapshot: null })
      expect(await log.readFrom(notes, 0)).toEqual([])
      expect(log.state).toBe('open')
    })

    it('creates nothing by reading, listing, deleting or reviving what nobody has written', async () => {
      await log.append([adding(other, 0)])
      await log.close()
      const before = await place.fingerprint()
      log = await place.open()
      await log.open(notes)
      await log.read(notes)
      await log.readFrom(notes, 3)
      await log.delete(notes, time)
      await log.revive(notes)
      await log.approximateSize(notes)
      expect(await names({ deleted: true })).toEqual([other])
      await log.close()
      expect(await place.fingerprint()).toBe(before)
      log = await place.open()
    })

    it('numbers the updates of each document 1, 2, 3 … and keeps bytes and times', async () => {
      await log.append([adding(notes, 0, 2)])
      await log.append([adding(other, 0)])
      await log.append([adding(notes, 2, 3)])
      const { head, entries } = await log.open(notes)
      expect(head).toBe(5)
      expect(entries.map(entry => entry.seq)).toEqual([1, 2, 3, 4, 5])
      expect(entries.map(entry => entry.update)).toEqual(updates(1, 5))
      expect(entries.map(entry => entry.time)).toEqual([time, time, time + 2, time + 2, time + 2])
      expect(await seqs(other)).toEqual([1])
    })

    it('keeps everything when closed and opened', async () => {
      await log.append([adding(notes, 0, 300), adding(other, 0)])
      await log.compact(compaction(notes, 290, 250))
      const before = [await log.read(notes), await log.read(other)]
      await reopen()
      expect([await log.read(notes), await log.read(other)]).toEqual(before)
      await log.append([adding(notes, 300)])
      expect((await log.open(notes)).head).toBe(301)
    })

    it('keeps large and single-byte updates as they are', async () => {
      const large = new Uint8Array(3_000_000).map((_, i) => (i * 31) & 255)
      await log.append([{ documentId: notes, after: 0, updates: [large, bytes(0)], time }])
      await reopen()
      const { entries } = await log.open(notes)
      expect(Buffer.compare(entries[0]?.update ?? bytes(), large)).toBe(0)
      expect(entries[1]?.update).toEqual(bytes(0))
    })

    it('stores a batch for all of its documents or for none', async () => {
      await log.append([adding(notes, 0, 2)])
      await expect(log.append([adding(other, 0), adding(notes, 1)])).rejects.toMatchObject({
        code: 'HEAD_MOVED',
        documentId: notes,
      })
      expect((await log.open(other)).head).toBe(0)
      expect(await names()).toEqual([notes])
      await log.append([adding(other, 0), adding(notes, 2)])
      expect([await seqs(other), await seqs(notes)]).toEqual([[1], [1, 2, 3]])
      expect(log.state).toBe('open')
    })

    it('refuses an append that does not begin at the head', async () => {
      await expect(log.append([adding(notes, 1)])).rejects.toMatchObject({ code: 'HEAD_MOVED' })
      await log.append([adding(notes, 0, 3)])
      for (const after of [0, 2, 4]) {
        await expect(log.append([adding(notes, after)])).rejects.toMatchObject({
          code: 'HEAD_MOVED',
          documentId: notes,
        })
      }
      expect(await seqs(notes)).toEqual([1, 2, 3])
    })

    it('refuses what cannot be stored with a RangeError', async () => {
      const bad: Append[][] = [
        [{ ...adding(notes, 0), updates: [] }],
        [{ ...adding(notes, 0), updates: [bytes()] }],
        [adding(notes, 0), adding(notes, 1)],
        [{ ...adding(notes, 0), time: 0.5 }],
        [{ ...adding(notes, 0), after: -1 }],
        [adding('' as DocumentId, 0)],
        [adding('\ud800' as DocumentId, 0)],
      ]
      for (const batch of bad) await expect(log.append(batch)).rejects.toThrow(RangeError)
      expect(await names()).toEqual([])
    })

    it('stores concurrent appends in call order, and lets one win where two want the same place', async () => {
      const results = await Promise.allSettled([
        log.append([adding(notes, 0, 2)]),
        log.append([adding(notes, 2, 2), adding(other, 0)]),
        log.append([adding(notes, 2)]),
        log.append([adding(notes, 4), adding(other, 1)]),
      ])
      expect(results.map(result => result.status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
      expect((await log.open(notes)).entries.map(entry => entry.update)).toEqual(updates(1, 5))
      expect(await seqs(other)).toEqual([1, 2])
    })

    it('reads one consistent view while it is appended to and compacted', async () => {
      await log.append([adding(notes, 0, 20)])
      const writing = (async () => {
        for (let head = 20; head < 60; head += 2) {
          await log.append([adding(notes, head, 2)])
          if (head % 10 === 0) await log.compact(compaction(notes, head, head - 5, 100_000))
        }
      })()
      let done = false
      void writing.finally(() => {
        done = true
      })
      while (!done) {
        const { head, snapshotSeq, snapshot, knowledge, keptAfter, entries } = await log.read(notes)
        expect(entries.map(entry => entry.seq)).toEqual(
          Array.from({ length: head - keptAfter }, (_, i) => keptAfter + 1 + i),
        )
        if (snapshot) expect([snapshot[0], knowledge?.[1]]).toEqual([snapshotSeq, snapshotSeq])
        await log.readFrom(notes, head - 3)
      }
      await writing
    })

    describe('compaction', () => {
      beforeEach(() => log.append([adding(notes, 0, 10), adding(other, 0, 3)]))

      it('puts the snapshot and takes the entries before the kept stretch', async () => {
        await log.compact(compaction(notes, 8, 5))
        expect(await log.read(notes)).toEqual({
          head: 10,
          snapshotSeq: 8,
          snapshotBytes: 5,
          snapshot: new Uint8Array(5).fill(8),
          knowledge: bytes(7, 8),
          keptAfter: 5,
          keptStateVector: bytes(8, 5),
          entries: updates(6, 10).map((update, i) => ({ seq: 6 + i, update, time })),
          deletedAt: null,
        })
        const { snapshot: _, ...opened } = await log.read(notes)
        expect(await log.open(notes)).toEqual(opened)
        expect(await seqs(other)).toEqual([1, 2, 3])
      })

      it('keeps a large snapshot as it is, and lets others’ writes pass before it', async () => {
        const snapshot = randomBytes(5_300_000)
        const order: string[] = []
        const compacting = log.compact({ ...compaction(notes, 8, 5), snapshot }).then(() => order.push('compacted'))
        for (let head = 3; head < 6; head++) {
          await log.append([adding(other, head)])
          order.push('appended')
          // Until it is there, nobody sees any of it.
          if (order.length === 1) expect(await log.read(notes)).toMatchObject({ snapshotSeq: 0, snapshot: null })
        }
        await compacting
        expect(order[0]).toBe('appended')
        expect(snapshot.equals((await log.read(notes)).snapshot ?? bytes())).toBe(true)
        await log.compact({ ...compaction(notes, 9, 5), snapshot: snapshot.subarray(0, 2_000_000) })
        await reopen()
        const { snapshot: second, snapshotBytes } = await log.read(notes)
        expect([snapshotBytes, snapshot.subarray(0, 2_000_000).equals(second ?? bytes())]).toEqual([2_000_000, true])
      })

      it('goes on after the head', async () => {
        await log.compact(compaction(notes, 10, 10))
        expect(await seqs(notes)).toEqual([])
        await log.append([adding(notes, 10)])
        await log.compact(compaction(notes, 11, 10))
        expect(await seqs(notes)).toEqual([11])
        expect((await log.read(notes)).snapshot).toEqual(new Uint8Array(5).fill(11))
      })

      it('reads from a position that is kept, and says where one is gone', async () => {
        await log.compact(compaction(notes, 8, 5))
        expect((await log.readFrom(notes, 5))?.map(entry => entry.seq)).toEqual([6, 7, 8, 9, 10])
        expect((await log.readFrom(notes, 9))?.map(entry => entry.seq)).toEqual([10])
        expect(await log.readFrom(notes, 10)).toEqual([])
        expect(await log.readFrom(notes, 4)).toBe(null)
        expect(await log.readFrom(notes, 0)).toBe(null)
      })

      it('refuses positions that do not fit, and may be repeated', async () => {
        await log.compact(compaction(notes, 8, 5))
        for (const [snapshotSeq, keptAfter] of [
          [11, 5],
          [7, 5],
          [8, 4],
          [8, 9],
          [0, 0],
        ] as const) {
          const refused = log.compact(compaction(notes, snapshotSeq, keptAfter))
          await expect(refused).rejects.toMatchObject({ code: 'HEAD_MOVED', documentId: notes })
        }
        await expect(log.compact(compaction('never' as DocumentId, 1, 0))).rejects.toMatchObject({ code: 'HEAD_MOVED' })
        await log.compact(compaction(notes, 8, 5))
        expect(await seqs(notes)).toEqual([6, 7, 8, 9, 10])
      })

      it('gives the space back', async () => {
        // Random: stores compress.
        for (let head = 10; head < 60; head++) {
          await log.append([{ documentId: notes, after: head, updates: [randomBytes(200_000)], time }])
        }
        await reopen()
        const before = (await log.stats()).bytes
        await log.compact(compaction(notes, 60, 60))
        await log.reclaim()
        const after = (await log.stats()).bytes
        expect(before).toBeGreaterThan(9_000_000)
        expect(after).toBeLessThan(1_000_000)
        expect((await log.read(notes)).snapshotSeq).toBe(60)
        expect(await seqs(other)).toEqual([1, 2, 3])
      })
    })

    it('gives up a compaction of a document that was deleted meanwhile, revived or not, and leaves nothing of it', async () => {
      const snapshot = randomBytes(4_300_000)
      for (const isRevived of [false, true]) {
        const documentId = `deleted ${isRevived}` as DocumentId
        await log.append([adding(documentId, 0, 10)])
        const compacting = log.compact({ ...compaction(documentId, 10, 10), snapshot })
        const outcome = compacting.then(
          () => 'compacted',
          error => error.code,
        )
        await log.delete(documentId, time + 1)
        if (isRevived) await log.revive(documentId)
        // Which of the two it meets is a matter of moments.
        expect(await outcome).toMatch(isRevived ? /HEAD_MOVED|DOCUMENT_DELETED/ : /DOCUMENT_DELETED/)
        // Nor one that was begun before it.
        if (isRevived)
          await expect(log.compact(compaction(documentId, 10, 10))).rejects.toMatchObject({ code: 'HEAD_MOVED' })
        expect(await log.read(documentId)).toMatchObject({ head: 10, snapshotSeq: 0, snapshot: null, entries: [] })
        await reopen()
        expect(await log.approximateSize(documentId)).toBeLessThan(1_000_000)
        if (!isRevived) await log.revive(documentId)
        await log.append([adding(documentId, 10, 2)])
        await log.compact(compaction(documentId, 12, 12))
        expect((await log.read(documentId)).snapshotSeq).toBe(12)
      }
    })

    describe('the bin', () => {
      beforeEach(async () => {
        await log.append([adding(notes, 0, 10)])
        await log.compact(compaction(notes, 8, 5))
        await log.bin(notes, time + 50)
      })

      it('keeps all that is stored, behind a tombstone that refuses writes', async () => {
        await reopen()
        expect(await log.open(notes)).toMatchObject({ head: 10, snapshotSeq: 8, keptAfter: 5, deletedAt: time + 50 })
        expect(await seqs(notes)).toEqual([6, 7, 8, 9, 10])
        for (const write of [log.append([adding(notes, 10)]), log.compact(compaction(notes, 10, 10))])
          await expect(write).rejects.toMatchObject({ code: 'DOCUMENT_DELETED', documentId: notes })
        await log.bin(notes, time + 60)
        expect(await listed({ deleted: true })).toEqual([{ documentId: notes, createdAt: time, deletedAt: time + 50 }])
        expect(await listed()).toEqual([])
      })

      it('gives all of it back', async () => {
        const { deletedAt: _, ...stored } = await log.read(notes)
        await log.revive(notes)
        await reopen()
        expect(await log.read(notes)).toEqual({ ...stored, deletedAt: null })
        await log.append([adding(notes, 10)])
        expect(await seqs(notes)).toEqual([6, 7, 8, 9, 10, 11])
      })

      it('is emptied by a deletion, which leaves the tombstone as it was', async () => {
        await log.delete(notes, time + 70)
        await reopen()
        const tombstone = { ...neverWritten, head: 10, keptAfter: 10, deletedAt: time + 50, snapshot: null }
        expect(await log.read(notes)).toEqual(tombstone)
        await log.delete(notes, time + 80)
        expect(await log.read(notes)).toEqual(tombstone)
      })

      it('holds nothing of a document that nobody has written', async () => {
        await log.bin(other, time + 50)
        expect(await names({ deleted: true })).toEqual([notes])
      })
    })

    describe('deletion', () => {
      beforeEach(async () => {
        await log.append([adding(notes, 0, 10), adding(other, 0, 3)])
        await log.compact(compaction(notes, 8, 5))
        await log.delete(notes, time + 99)
      })

      it('leaves a tombstone with the head and nothing else', async () => {
        const tombstone = { ...neverWritten, head: 10, keptAfter: 10, deletedAt: time + 99, snapshot: null }
        expect(await log.read(notes)).toEqual(tombstone)
        await reopen()
        expect(await log.read(notes)).toEqual(tombstone)
        expect(await seqs(other)).toEqual([1, 2, 3])
      })

      it('refuses writes until it is revived, then goes on after the old head', async () => {
        const refused = [log.append([adding(other, 3), adding(notes, 10)]), log.compact(compaction(notes, 10, 10))]
        for (const write of refused)
          await expect(write).rejects.toMatchObject({ code: 'DOCUMENT_DELETED', documentId: notes })
        expect(await seqs(other)).toEqual([1, 2, 3])
        await log.revive(notes)
        await log.append([adding(notes, 10, 2)])
        await reopen()
        expect(await log.open(notes)).toMatchObject({ head: 12, keptAfter: 10, snapshotSeq: 0, deletedAt: null })
        expect(await seqs(notes)).toEqual([11, 12])
        expect(await log.readFrom(notes, 9)).toBe(null)
        await log.compact(compaction(notes, 12, 11))
        expect(await seqs(notes)).toEqual([12])
      })

      it('keeps the first time of deletion, and shows in lists that ask for it', async () => {
        await log.delete(notes, time + 200)
        expect(await listed()).toEqual([{ documentId: other, createdAt: time, deletedAt: null }])
        expect(await listed({ deleted: true })).toEqual([
          { documentId: notes, createdAt: time, deletedAt: time + 99 },
          { documentId: other, createdAt: time, deletedAt: null },
        ])
        await log.revive(notes)
        expect(await names()).toEqual([notes, other])
      })
    })

    it('lists many documents with names of all kinds in the order of their UTF-8 bytes', async () => {
      const ids = [
        'a',
        'a/b',
        'a/b/c',
        'ä',
        'Ω',
        '日本',
        '日本/語',
        '👩‍👩‍👧',
        '\u{10ffff}',
        'x'.repeat(255),
        'notes\u001fcomments',
      ]
      for (let i = 0; i < 600; i++) ids.push(`many/${i}`)
      const batch = ids.map(id => adding(id as DocumentId, 0))
      await log.append(batch.reverse())
      await reopen()
      const sorted = ids.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      expect(await names()).toEqual(sorted)
      expect(await names({ prefix: 'a/' })).toEqual(['a/b', 'a/b/c'])
      expect(await names({ prefix: '日本', after: '日本' as DocumentId })).toEqual(['日本/語'])
      expect(await names({ after: 'a/b' as DocumentId, limit: 3 })).toEqual(
        sorted.slice(sorted.indexOf('a/b') + 1).slice(0, 3),
      )
      expect(await names({ prefix: 'many/', limit: 400 })).toEqual(
        sorted.filter(id => id.startsWith('many/')).slice(0, 400),
      )
      for (const id of ids.slice(0, 20)) expect((await log.open(id as DocumentId)).head).toBe(1)
    })

    describe('all documents', () => {
      const whole = async (): Promise<(WholeDocument | DamagedDocument)[]> => {
        const found: (WholeDocument | DamagedDocument)[] = []
        for await (const document of log.documents()) found.push(document)
        return found
      }

      it('come by name with all that is stored, deleted ones too; of an empty log none', async () => {
        expect(await whole()).toEqual([])
        await log.append([adding(notes, 0, 10), adding(other, 0, 3), adding('a' as DocumentId, 0)])
        await log.compact(compaction(notes, 8, 5, 2_500_000))
        await log.delete('a' as DocumentId, time + 99)
        const expected = [
          { ...(await log.read('a' as DocumentId)), documentId: 'a', createdAt: time },
          { ...(await log.read(notes)), documentId: notes, createdAt: time },
          { ...(await log.read(other)), documentId: other, createdAt: time },
        ]
        expect((await whole()).map(digestDocument)).toEqual(expected.map(digestDocument))
        await reopen()
        expect((await whole()).map(digestDocument)).toEqual(expected.map(digestDocument))
      })

      it('come as they were at one moment, while they are written to, compacted, deleted and revived', async () => {
        const ids = Array.from({ length: 300 }, (_, i) => `many/${i}` as DocumentId)
        await log.append(ids.map(id => adding(id, 0, 4)))
        const before = await whole()
        const documents = log.documents()[Symbol.asyncIterator]()
        const found = [(await documents.next()).value]
        await log.append(ids.map(id => adding(id, 4, 2)))
        await log.append([adding('many/0/new' as DocumentId, 0)])
        for (const id of ids.slice(100, 110)) await log.compact(compaction(id, 6, 6))
        for (const id of ids.slice(200, 210)) await log.delete(id, time + 9)
        await log.revive(ids[205] as DocumentId)
        await log.reclaim()
        for (let next = await documents.next(); next.done !== true; next = await documents.next()) {
          found.push(next.value)
          if (found.length === 150) await log.append([adding(ids[299] as DocumentId, 6)])
        }
        expect(found.map(digestDocument)).toEqual(before.map(digestDocument))
        expect(await whole()).toHaveLength(301)
      })

      it('may be left before the last, and end with the log', async () => {
        await log.append([adding(notes, 0), adding(other, 0)])
        for await (const document of log.documents()) {
          expect(document.documentId).toBe(notes)
          break
        }
        const documents = log.documents()[Symbol.asyncIterator]()
        await documents.next()
        await log.close()
        await expect(documents.next()).rejects.toMatchObject({ code: 'STORE_CLOSED' })
      })
    })

    it('says that it can be written to, and how large it is', async () => {
      await log.append([adding(notes, 0)])
      expect(await log.isWritable()).toBe(true)
      await log.reopen()
      const stats = await log.stats()
      expect(stats.bytes).toBeGreaterThan(0)
      expect(stats.freeBytes).toBeGreaterThan(0)
    })

    it('finishes what is under way when it is closed, and refuses what comes later', async () => {
      const writes = [
        log.append([adding(notes, 0, 50)]),
        log.append([adding(notes, 50)]),
        log.compact(compaction(notes, 51, 40)),
      ]
      const read = log.read(notes)
      await Promise.all([log.close(), log.close()])
      await Promise.all([...writes, read])
      expect(log.state).toBe('closed')
      const late: (() => Promise<unknown>)[] = [
        () => log.append([adding(notes, 51)]),
        () => log.open(notes),
        () => log.read(notes),
        () => log.readFrom(notes, 0),
        () => log.compact(compaction(notes, 51, 41)),
        () => log.delete(notes, time),
        () => log.revive(notes),
        () => log.reclaim(),
        () => log.reopen(),
        () => log.approximateSize(notes),
        () => names(),
        () => log.documents()[Symbol.asyncIterator]().next(),
      ]
      for (const call of late) await expect(call()).rejects.toMatchObject({ code: 'STORE_CLOSED' })
      expect(await log.isWritable()).toBe(false)
      log = await place.open()
      expect((await log.open(notes)).head).toBe(51)
      expect(await seqs(notes)).toEqual([41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51])
    })
  })
}
