import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { deserialize, serialize } from 'node:v8'
import { gunzipSync } from 'node:zlib'
import * as Y from 'yjs'
import { Random } from './Random.ts'

/**
 * What a document is made of.
 * - `edits`: one person's session at the keyboard: characters, some deleted again, the caret jumps now and then.
 * - `prose`: many people's words and deletions, until the updates have so many bytes.
 * - `trace`: somebody's real keystrokes, in the format of josephg/editing-traces (may be gzipped).
 */
export type Source =
  | { readonly kind: 'edits'; readonly edits: number; readonly seed: number }
  | { readonly kind: 'prose'; readonly bytes: number; readonly seed: number }
  | { readonly kind: 'trace'; readonly file: string }

type Edit = readonly [position: number, deleted: number, inserted: string]

const cache = fileURLToPath(new URL('../../../node_modules/.cache/weft/bench-documents', import.meta.url))
const ROOT = 'text'

/** A document made by Yjs itself, as the updates that made it. */
export class TestDocument {
  readonly updates: readonly Uint8Array[]
  /** All of it as one update. */
  readonly state: Uint8Array
  readonly stateVector: ReadonlyMap<number, number>
  readonly encodedStateVector: Uint8Array
  /** What a replica that has everything answers to a server that has everything: its deletions. */
  readonly deletions: Uint8Array
  readonly text: string

  private constructor(updates: readonly Uint8Array[]) {
    this.updates = updates
    const doc = docOf(updates)
    this.state = Y.encodeStateAsUpdate(doc)
    this.encodedStateVector = Y.encodeStateVector(doc)
    this.stateVector = Y.decodeStateVector(this.encodedStateVector)
    this.deletions = Y.encodeStateAsUpdate(doc, this.encodedStateVector)
    this.text = doc.getText(ROOT).toString()
  }

  /**
   * Makes it, or reads it from the cache: every run of every server gets the same bytes.
   * @param updates into how many updates the edits are cut (`prose`: words per update, since it is measured in bytes)
   */
  static make(source: Source, updates: number): TestDocument {
    const key = source.kind === 'trace' ? { ...source, size: readFileSync(source.file).length } : source
    const name = createHash('sha256')
      .update(JSON.stringify([key, updates, 1]))
      .digest('hex')
      .slice(0, 16)
    const path = join(cache, name)
    if (!existsSync(path)) {
      mkdirSync(cache, { recursive: true })
      writeFileSync(`${path}.${process.pid}`, serialize(makeUpdates(source, updates)))
      renameSync(`${path}.${process.pid}`, path)
    }
    return new TestDocument(deserialize(readFileSync(path)) as Uint8Array[])
  }

  /** What a client that has this document answers to a sync step 1. */
  answer(stateVector: Uint8Array): Uint8Array {
    const theirs = Y.decodeStateVector(stateVector)
    const lacks = [...this.stateVector].some(([clientID, clock]) => (theirs.get(clientID) ?? 0) < clock)
    if (!lacks) return this.deletions
    return theirs.size === 0 ? this.state : Y.diffUpdate(this.state, stateVector)
  }

  /** Whether these updates make the same text. */
  isMadeBy(updates: readonly Uint8Array[]): boolean {
    return docOf(updates).getText(ROOT).toString() === this.text
  }
}

function docOf(updates: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc()
  doc.transact(() => {
    for (const update of updates) Y.applyUpdate(doc, update)
  })
  return doc
}

function makeUpdates(source: Source, count: number): Uint8Array[] {
  const doc = new Y.Doc()
  const text = doc.getText(ROOT)
  const updates: Uint8Array[] = []
  let bytes = 0
  doc.on('update', (update: Uint8Array) => {
    updates.push(update)
    bytes += update.length
  })
  const apply = (edits: readonly Edit[]) =>
    doc.transact(() => {
      for (const [position, deleted, inserted] of edits) {
        if (deleted > 0) text.delete(position, deleted)
        if (inserted !== '') text.insert(position, inserted)
      }
    })
  if (source.kind === 'prose') {
    const random = new Random(source.seed)
    let caret = 0
    let length = 0
    while (bytes < source.bytes) {
      // Another person goes on, somewhere else.
      doc.clientID = random.clientID()
      for (let turn = 0; turn < 20 && bytes < source.bytes; turn++) {
        const edits: Edit[] = []
        for (let i = 0; i < count; i++) {
          if (random.below(50) === 0) caret = random.below(length + 1)
          if (random.below(6) === 0 && length > 100) {
            caret = Math.min(caret, length - 8)
            edits.push([caret, 8, ''])
            length -= 8
          } else {
            const word = `${Math.floor(random.fraction() * 36 ** 8).toString(36)} `
            edits.push([caret, 0, word])
            caret += word.length
            length += word.length
          }
        }
        apply(edits)
      }
    }
    return updates
  }
  const edits = source.kind === 'trace' ? readTrace(source.file) : typeAlone(source.edits, new Random(source.seed))
  doc.clientID = new Random(1).clientID()
  for (let i = 0; i < count; i++) {
    const from = Math.floor((i * edits.length) / count)
    apply(edits.slice(from, Math.floor(((i + 1) * edits.length) / count)))
  }
  return updates
}

/** The shape of a real trace (182,315 insertions, 77,463 deletions): runs of typing, backspaces, jumps. */
function typeAlone(count: number, random: Random): Edit[] {
  const edits: Edit[] = []
  let [caret, length] = [0, 0]
  let [runLength, isDeleting] = [0, false]
  while (edits.length < count) {
    if (runLength-- <= 0) {
      isDeleting = random.below(10) < 4
      runLength = isDeleting ? random.below(20) : random.below(30)
      if (random.below(5) === 0) caret = random.below(length + 1)
    }
    if (isDeleting && caret > 0) {
      edits.push([--caret, 1, ''])
      length--
    } else {
      edits.push([caret++, 0, String.fromCharCode(97 + random.below(26))])
      length++
    }
  }
  return edits
}

function readTrace(file: string): Edit[] {
  const bytes = readFileSync(file)
  const json = file.endsWith('.gz') ? gunzipSync(bytes) : bytes
  const trace: { txns: { patches: Edit[] }[] } = JSON.parse(json.toString())
  return trace.txns.flatMap(({ patches }) => patches)
}
