import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { Knowledge } from '../crdt/Knowledge.ts'
import { readUpdate } from '../crdt/readUpdate.ts'
import { NO_LIMITS } from '../crdt/UpdateLimits.ts'
import type { StoredDocument } from '../log/UpdateLog.ts'
import { checkStoredDocument } from './checkStoredDocument.ts'

const time = 1_790_000_000_000
const ENTRIES = 20

/** What somebody types and deletes, one update after another. */
function typed(clientID: number, count = ENTRIES): Uint8Array[] {
  const doc = new Y.Doc()
  doc.clientID = clientID
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(update))
  const text = doc.getText('text')
  for (let i = 0; i < count; i++) {
    if (i % 5 === 4) text.delete(1, 2)
    else text.insert(text.length, `word${i} `)
  }
  return updates
}

function merged(updates: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc()
  for (const update of updates) Y.applyUpdate(doc, update)
  return doc
}

function plain(updates = typed(1)): StoredDocument {
  return {
    head: updates.length,
    keptAfter: 0,
    snapshotSeq: 0,
    snapshot: null,
    snapshotBytes: 0,
    knowledge: null,
    keptStateVector: null,
    deletedAt: null,
    entries: updates.map((update, i) => ({ seq: i + 1, update, time: time + i })),
  }
}

/** Entries 6 to 10 are kept before the snapshot. */
function compacted(): StoredDocument {
  const updates = typed(1)
  const whole = plain(updates)
  const snapshot = Y.encodeStateAsUpdate(merged(updates.slice(0, 10)))
  return {
    ...whole,
    keptAfter: 5,
    snapshotSeq: 10,
    snapshot,
    snapshotBytes: snapshot.length,
    knowledge: Knowledge.fromContents(readUpdate(snapshot, NO_LIMITS)).encode(),
    keptStateVector: Y.encodeStateVector(merged(updates.slice(0, 5))),
    entries: whole.entries.slice(5),
  }
}

const tombstone: StoredDocument = { ...plain([]), head: 9, keptAfter: 9, deletedAt: time }

function withEntry(stored: StoredDocument, seq: number, update: Uint8Array): StoredDocument {
  return { ...stored, entries: stored.entries.map(entry => (entry.seq === seq ? { ...entry, update } : entry)) }
}

describe('a stored document', () => {
  it.each([
    ['as it was written', plain()],
    ['with a snapshot', compacted()],
    ['that is deleted', tombstone],
    ['that was begun anew', { ...plain([]), head: 9, keptAfter: 9 }],
    ['of two authors', plain([...typed(1), ...typed(2)])],
  ])('%s has nothing wrong', (_, stored) => {
    const doc = new Y.Doc()
    expect(checkStoredDocument(stored, { doc })).toEqual([])
    expect(checkStoredDocument(stored, { isThorough: true })).toEqual([])
    const last = stored.entries.length > 0 ? stored.entries : []
    if (stored.snapshot === null)
      expect(doc.getText('text').toJSON()).toBe(
        merged(last.map(e => e.update))
          .getText('text')
          .toJSON(),
      )
  })

  const sound = compacted()
  const other = typed(2)
  const [elsewhere = new Uint8Array()] = other
  it.each<[string, StoredDocument, RegExp]>([
    [
      'an entry is missing',
      { ...sound, entries: sound.entries.filter(({ seq }) => seq !== 12) },
      /^entry 13 in place of 12$/,
    ],
    [
      'the last entry is missing',
      { ...sound, entries: sound.entries.slice(0, -1) },
      /^the log ends at entry 19, and its head is 20$/,
    ],
    ['the head is behind', { ...sound, head: 19 }, /^the log ends at entry 20, and its head is 19$/],
    ['an entry does not decode', withEntry(sound, 12, Uint8Array.of(1, 1, 7)), /^entry 12 does not decode: /],
    ['a kept entry does not decode', withEntry(sound, 7, Uint8Array.of(1, 1, 7)), /^entry 7 does not decode: /],
    [
      'an entry has another content',
      withEntry(plain(), 12, elsewhere),
      /^entry 13 builds on what is not in the log: client 1 up to \d+$/,
    ],
    [
      'an entry comes twice',
      withEntry(sound, 12, sound.entries[5]?.update ?? elsewhere),
      /^entry 12 (brings nothing new|repeats)/,
    ],
    [
      'a kept entry comes too early',
      withEntry(sound, 7, sound.entries[3]?.update ?? elsewhere),
      /^entry 7 lacks what it builds on$/,
    ],
    [
      'a kept entry is not in the snapshot',
      withEntry(sound, 10, elsewhere),
      /^the snapshot lacks what entry 10 holds$/,
    ],
    [
      'the kept state vector is another one',
      { ...sound, keptStateVector: Y.encodeStateVector(merged([...typed(1, 5), elsewhere])) },
      /state vector of the snapshot$/,
    ],
    [
      'the kept state vector does not decode',
      { ...sound, keptStateVector: Uint8Array.of(9) },
      /^the state vector of the kept entries does not decode/,
    ],
    ['the snapshot does not decode', { ...sound, snapshot: Uint8Array.of(1, 1, 7) }, /^the snapshot does not decode: /],
    ['the snapshot has a gap', { ...sound, snapshot: other[3] ?? elsewhere }, /^the snapshot lacks what it builds on$/],
    [
      'the snapshot is another one',
      { ...sound, snapshot: Y.encodeStateAsUpdate(merged(other)) },
      /^the snapshot: knowledge has another state vector/,
    ],
    ['the snapshot is missing', { ...sound, snapshot: null }, /^its snapshot is missing/],
    ['the knowledge does not decode', { ...sound, knowledge: Uint8Array.of(2) }, /^the knowledge does not decode: /],
    [
      'the knowledge lacks a deletion',
      { ...sound, knowledge: withoutDeletions(sound) },
      /^the stored knowledge is not that of the snapshot$/,
    ],
    [
      'the snapshot is an older one',
      { ...sound, snapshot: Y.encodeStateAsUpdate(merged(typed(1, 4))) },
      /^the snapshot: knowledge has/,
    ],
  ])('is told where %s', (_, stored, problem) => {
    expect(checkStoredDocument(stored)[0]).toMatch(problem)
  })
})

function withoutDeletions({ snapshot }: StoredDocument): Uint8Array {
  const contents = readUpdate(snapshot ?? new Uint8Array(), NO_LIMITS)
  return Knowledge.fromContents({ ...contents, deletes: new Map() }).encode()
}
