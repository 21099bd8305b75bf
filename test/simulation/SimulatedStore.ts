import type { DocumentId } from '@weft/protocol'
import * as Y from 'yjs'
import { Knowledge } from '../../server/src/crdt/Knowledge.ts'
import { readUpdate } from '../../server/src/crdt/readUpdate.ts'
import { NO_LIMITS } from '../../server/src/crdt/UpdateLimits.ts'
import { WeftError } from '../../server/src/errors.ts'
import type {
  Append,
  Compaction,
  LogEntry,
  LogState,
  StoredDocument,
  UpdateLog,
} from '../../server/src/log/UpdateLog.ts'
import type { Random } from '../crdt/Random.ts'
import { createDocument } from '../crdt/randomEdits.ts'
import { checkKnowledge } from '../support/checkLog.ts'
import type { SimulatedClock } from './SimulatedClock.ts'

/** One life of a server process. */
export interface Life {
  isOver: boolean
}

/** What is on disk, over all lives of the server; and beside it, as an oracle, what Yjs makes of it. */
export class SimulatedStore {
  /** Writes fail as long as this is set: a full disk. */
  isBroken = false
  /** Longest time of a write, in ms. */
  slownessMs = 5
  readonly clock: SimulatedClock
  readonly random: Random
  readonly #documents = new Map<DocumentId, StoredDocument>()
  readonly #oracles = new Map<DocumentId, Y.Doc>()
  readonly #knowledge = new Map<DocumentId, Knowledge>()
  readonly #histories = new Map<DocumentId, Uint8Array[]>()
  /** What was stored and must not be. */
  readonly problems: Error[] = []
  appends = 0
  failures = 0
  compactions = 0

  constructor(clock: SimulatedClock, random: Random) {
    this.clock = clock
    this.random = random
  }

  /** The store as one life of the server sees it: when that is over, nothing comes back any more. */
  open(life: Life): UpdateLog {
    // The parts of a log that rooms and the committer use; calling another one would throw.
    return new OpenedStore(this, life) as unknown as UpdateLog
  }

  read(documentId: DocumentId): StoredDocument {
    return this.#documents.get(documentId) ?? neverWritten
  }

  /** All that was ever committed, in order. */
  history(documentId: DocumentId): readonly Uint8Array[] {
    return this.#histories.get(documentId) ?? []
  }

  /** What Yjs makes of all that was ever committed. */
  oracle(documentId: DocumentId): Y.Doc {
    let doc = this.#oracles.get(documentId)
    if (doc === undefined) {
      doc = createDocument(1)
      this.#oracles.set(documentId, doc)
    }
    return doc
  }

  append(batch: readonly Append[]): void {
    for (const { documentId, after } of batch) {
      if (this.read(documentId).head !== after) throw headMoved(documentId)
    }
    this.appends++
    for (const { documentId, after, updates, time } of batch) {
      const stored = this.read(documentId)
      const entries: LogEntry[] = updates.map((update, index) => {
        this.#check(documentId, update)
        this.#remember(documentId, update)
        return { seq: after + 1 + index, update: new Uint8Array(update), time }
      })
      this.#documents.set(documentId, {
        ...stored,
        head: after + updates.length,
        entries: [...stored.entries, ...entries],
      })
    }
  }

  #remember(documentId: DocumentId, update: Uint8Array): void {
    const history = this.#histories.get(documentId) ?? []
    this.#histories.set(documentId, history)
    history.push(new Uint8Array(update))
  }

  /** Knowledge is held to Yjs after every entry. */
  #check(documentId: DocumentId, update: Uint8Array): void {
    const knowledge = this.#knowledge.get(documentId) ?? new Knowledge()
    this.#knowledge.set(documentId, knowledge)
    const doc = this.oracle(documentId)
    try {
      const contents = readUpdate(update, NO_LIMITS)
      if (knowledge.missing(contents) !== null) throw new Error('an entry is not causally closed')
      if (knowledge.overlaps(contents)) throw new Error('an entry repeats what is in the log')
      if (!knowledge.brings(contents)) throw new Error('an entry brings nothing new')
      knowledge.add(contents)
      Y.applyUpdate(doc, update)
      checkKnowledge(knowledge, doc)
    } catch (error) {
      this.problems.push(error as Error)
    }
  }

  compact(compaction: Compaction): void {
    const { documentId, snapshotSeq, keptAfter } = compaction
    const stored = this.read(documentId)
    if (snapshotSeq < stored.snapshotSeq || snapshotSeq > stored.head || keptAfter < stored.keptAfter) {
      throw headMoved(documentId)
    }
    if (keptAfter > snapshotSeq) throw new RangeError(`kept after ${keptAfter}, snapshot at ${snapshotSeq}`)
    const doc = new Y.Doc()
    Y.applyUpdate(doc, compaction.snapshot)
    try {
      checkKnowledge(Knowledge.decode(compaction.knowledge), doc)
    } catch (error) {
      this.problems.push(error as Error)
    }
    this.compactions++
    this.#documents.set(documentId, {
      head: stored.head,
      snapshotSeq,
      snapshot: new Uint8Array(compaction.snapshot),
      snapshotBytes: compaction.snapshot.length,
      knowledge: new Uint8Array(compaction.knowledge),
      keptAfter,
      keptStateVector: new Uint8Array(compaction.keptStateVector),
      entries: stored.entries.filter(entry => entry.seq > keptAfter),
      deletedAt: null,
    })
  }
}

class OpenedStore {
  state: LogState = 'open'
  readonly #store: SimulatedStore
  readonly #life: Life
  #lastWrite: Promise<unknown> = Promise.resolve()

  constructor(store: SimulatedStore, life: Life) {
    this.#store = store
    this.#life = life
  }

  append(batch: readonly Append[]): Promise<void> {
    return this.#write(() => this.#store.append(batch))
  }

  compact(compaction: Compaction): Promise<void> {
    return this.#write(() => this.#store.compact(compaction))
  }

  async read(documentId: DocumentId): Promise<StoredDocument> {
    await this.#pause()
    const stored = this.#store.read(documentId)
    await this.#pause()
    return stored
  }

  async reopen(): Promise<void> {
    await this.#pause()
    if (this.#store.isBroken) throw new WeftError('STORAGE_WRITE_FAILED', 'the disk is still full')
    this.state = 'open'
  }

  /** A death before the moment of the write takes it along; one after it leaves it, and nobody is told. */
  #write(run: () => void): Promise<void> {
    const result = this.#lastWrite.then(async () => {
      await this.#pause()
      if (this.state === 'failed') throw new WeftError('STORAGE_WRITE_FAILED', 'writes are refused until reopened')
      if (this.#store.isBroken) {
        this.#store.failures++
        this.state = 'failed'
        throw new WeftError('STORAGE_WRITE_FAILED', 'the disk is full')
      }
      run()
      await this.#pause()
    })
    this.#lastWrite = result.catch(() => {})
    return result
  }

  #pause(): Promise<void> {
    const { clock, random, slownessMs } = this.#store
    return new Promise(resolve => {
      clock.after(random.below(slownessMs), () => {
        if (!this.#life.isOver) resolve()
      })
    })
  }
}

const neverWritten: StoredDocument = {
  head: 0,
  snapshotSeq: 0,
  snapshotBytes: 0,
  knowledge: null,
  keptAfter: 0,
  keptStateVector: null,
  entries: [],
  deletedAt: null,
  snapshot: null,
}

function headMoved(documentId: DocumentId): WeftError {
  return new WeftError('HEAD_MOVED', `the head of ${documentId} is elsewhere`, { documentId })
}
