import { setPriority } from 'node:os'
import { platform } from 'node:process'
import { isMainThread } from 'node:worker_threads'
import { move, transferableSymbol, valueSymbol } from 'piscina'
import * as Y from 'yjs'
import { type ContentCode, ContentError } from '../ContentError.ts'
import { Knowledge } from '../crdt/Knowledge.ts'
import { MalformedUpdate } from '../crdt/MalformedUpdate.ts'
import type { Ranges } from '../crdt/ranges.ts'
import { readUpdate, type UpdateContents } from '../crdt/readUpdate.ts'
import { NO_LIMITS, type UpdateLimits } from '../crdt/UpdateLimits.ts'
import { type PackedUpdates, unpackUpdates } from './packedUpdates.ts'
import { tidiedMarks } from './tidiedMarks.ts'

// What runs in a worker thread: the only place of the server where a `Y.Doc` is built. `Workshop` calls these by name.

// The event loop comes first where cores are scarce. Linux takes this for the thread that asks, others for the whole process.
if (!isMainThread && platform === 'linux') setPriority(5)

/** A class is lost on the way from a worker: errors of ours travel as values. */
export type TaskResult<T> =
  | { readonly state: 'done'; readonly value: T }
  | { readonly state: 'malformed'; readonly reason: string }
  | { readonly state: 'incomplete'; readonly reason: string }
  | { readonly state: 'refused'; readonly code: ContentCode; readonly reason: string }

export interface CheckTask {
  readonly update: Uint8Array
  readonly limits: UpdateLimits
}

/** A document's log: the snapshot, if there is one, and what follows it. */
export interface LogTask {
  readonly snapshot: Uint8Array | null
  readonly updates: PackedUpdates
}

export interface DiffTask {
  readonly snapshot: Uint8Array
  readonly stateVector: Uint8Array
}

export interface ClosedPartTask extends LogTask {
  readonly update: Uint8Array
}

export interface TidiedTask extends LogTask {
  /** Delete sets, each judged for itself. */
  readonly questions: readonly ReadonlyMap<number, Ranges>[]
}

export interface CompactionResult {
  readonly update: Uint8Array
  readonly knowledge: Uint8Array
}

export interface ClosedPartResult {
  readonly update: Uint8Array | null
  readonly missing: ReadonlyMap<number, number>
}

/** For each question: see `tidiedMarks`. */
export type TidiedResult = readonly (Map<number, number[]> | null)[]

/** The docstrings of these five are `Workshop`'s. */
export function check(task: CheckTask): TaskResult<UpdateContents> {
  return settle(() => readUpdate(task.update, task.limits))
}

export function compact(task: LogTask): unknown {
  return withBytes(
    settle<CompactionResult>(() => {
      const doc = documentFromLog(task)
      const update = Y.encodeStateAsUpdate(doc)
      doc.destroy()
      return { update, knowledge: Knowledge.fromContents(readUpdate(update, NO_LIMITS)).encode() }
    }),
    result => [result.update, result.knowledge],
  )
}

export function diff(task: DiffTask): unknown {
  return withBytes(
    settle(() => Y.diffUpdate(task.snapshot, task.stateVector)),
    result => [result],
  )
}

export function closedPart(task: ClosedPartTask): unknown {
  return withBytes(
    settle<ClosedPartResult>(() => {
      const contents = readUpdate(task.update, NO_LIMITS)
      const doc = documentFromLog(task)
      const before = Y.decodeStateVector(Y.encodeStateVector(doc))
      // What one transaction brought is what Yjs would send on: new structs from the old state on, new deletions. A second
      // transaction may follow in which Yjs tidies formatting marks: no edit of the sender's, so it is told by its origin.
      const origin = {}
      let update: Uint8Array | null = null
      doc.on('update', (bytes: Uint8Array, from: unknown) => {
        if (from === origin) update = bytes
      })
      try {
        Y.applyUpdate(doc, task.update, origin)
      } catch {
        // What nobody has checked against this document yet: the check comes when the closed part is admitted.
        throw new MalformedUpdate('it cannot be applied to the document')
      }
      const after = Y.decodeStateVector(Y.encodeStateVector(doc))
      doc.destroy()
      if (update !== null) {
        const open = lacking(readUpdate(update, NO_LIMITS).requires, before)
        if (open.size > 0) throw new Error(`the closed part of an update lacks operations of ${open.size} clients`)
      }
      return { update, missing: lacking(contents.requires, after) }
    }),
    result => (result.update ? [result.update] : []),
  )
}

export function tidied(task: TidiedTask): TaskResult<TidiedResult> {
  return settle(() => {
    const doc = documentFromLog(task)
    const answers = task.questions.map(deletes => tidiedMarks(doc, deletes))
    doc.destroy()
    return answers
  })
}

class IncompleteLog extends Error {}

/** @throws {IncompleteLog} where something of the log stays pending: the log is causally closed, so that is damage. */
export function documentFromLog({ snapshot, updates }: LogTask): Y.Doc {
  const doc = new Y.Doc({ gc: true })
  // One transaction: cleaning up after each of thousands would cost more than applying them.
  Y.transact(
    doc,
    () => {
      if (snapshot) Y.applyUpdate(doc, snapshot)
      for (const update of unpackUpdates(updates)) Y.applyUpdate(doc, update)
    },
    null,
    false,
  )
  const { pendingStructs, pendingDs } = doc.store
  if (pendingStructs || pendingDs) {
    const clients = [...(pendingStructs?.missing ?? [])].map(([clientID, clock]) => `${clientID} at ${clock}`)
    throw new IncompleteLog(
      pendingStructs ? `operations of clients ${clients.join(', ')} are missing` : 'it deletes what is missing',
    )
  }
  return doc
}

/** Of the clocks that must be reached, those that a state vector has not. */
function lacking(requires: ReadonlyMap<number, number>, stateVector: ReadonlyMap<number, number>): Map<number, number> {
  return new Map([...requires].filter(([clientID, clock]) => (stateVector.get(clientID) ?? 0) < clock))
}

export function settle<T>(run: () => T): TaskResult<T> {
  try {
    return { state: 'done', value: run() }
  } catch (error) {
    if (error instanceof MalformedUpdate) return { state: 'malformed', reason: error.reason }
    if (error instanceof ContentError) return { state: 'refused', code: error.code, reason: error.message }
    if (error instanceof IncompleteLog) return { state: 'incomplete', reason: error.message }
    throw error
  }
}

/** Lets the bytes of a result go to the main thread without a copy, where they have a buffer of their own. */
export function withBytes<T>(result: TaskResult<T>, bytesOf: (value: T) => Uint8Array[]): unknown {
  if (result.state !== 'done') return result
  const transfer = bytesOf(result.value)
    .filter(bytes => bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer)
    .map(bytes => bytes.buffer as ArrayBuffer)
  return move({
    get [transferableSymbol]() {
      return transfer
    },
    get [valueSymbol]() {
      return result
    },
  })
}
