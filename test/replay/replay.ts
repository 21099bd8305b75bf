import { connect, type WeftDocument } from '@weft/client'
import { outside, type Trace } from './readTrace.ts'

/** Name of the `Y.Text` that holds the text. */
const ROOT = 'text'
/** Edits between two looks at the network: the program must not only type. */
const TURN_EDITS = 50
/** Without any progress for so long, something is wrong. */
const PATIENCE_MS = 60_000

/** What a replay took; times in ms. */
export interface ReplayResult {
  readonly edits: number
  readonly characters: number
  /** To make all edits. */
  readonly typedMs: number
  /** From the first edit until all of them are committed. */
  readonly savedMs: number
  /** From the first edit until the other client has the text. */
  readonly seenMs: number
  /** For a fresh client to join and have it. */
  readonly joinMs: number
}

/** A text that is not the trace's; `message` says whose, and where they differ. */
export class MismatchError extends Error {
  override readonly name = 'MismatchError'
}

/**
 * Makes the edits of a trace in a document, while another client watches; then compares the text of both, and of a third
 * that joins at the end, with the trace's.
 * @param url an empty document
 * @throws {MismatchError} {TraceError} {RefusedError}
 */
export async function replay(trace: Trace, url: string): Promise<ReplayResult> {
  const [writer, watcher] = await Promise.all([connect(url), connect(url)])
  try {
    const text = writer.ydoc.getText(ROOT)
    if (text.length > 0) throw new MismatchError(`the document at ${url} is not empty`)
    const begin = performance.now()
    await type(writer, trace)
    const typedMs = performance.now() - begin
    await writer.saved()
    const savedMs = performance.now() - begin
    compare('the writer', text.toString(), trace.endContent)
    await seen(watcher, trace.endContent)
    const seenMs = performance.now() - begin

    const joinBegin = performance.now()
    const fresh = await connect(url)
    const joined = fresh.ydoc.getText(ROOT).toString()
    const joinMs = performance.now() - joinBegin
    await fresh.close({ saved: false })
    compare('a fresh client', joined, trace.endContent)
    return { edits: trace.editCount, characters: trace.endContent.length, typedMs, savedMs, seenMs, joinMs }
  } finally {
    await Promise.all([writer.close({ saved: false }), watcher.close({ saved: false })])
  }
}

async function type({ ydoc }: WeftDocument, trace: Trace): Promise<void> {
  const text = ydoc.getText(ROOT)
  if (trace.startContent !== '') text.insert(0, trace.startContent)
  let index = 0
  let turn = 0
  for (const edits of trace.transactions) {
    ydoc.transact(() => {
      for (const [position, deleted, inserted] of edits) {
        if (position + deleted > text.length) throw outside(index, position, deleted, text.length)
        if (deleted > 0) text.delete(position, deleted)
        if (inserted !== '') text.insert(position, inserted)
        index++
      }
    })
    turn += edits.length
    if (turn < TURN_EDITS) continue
    turn = 0
    await new Promise(resolve => setImmediate(resolve))
  }
}

/** Waits until a client has the text; as long as edits arrive, it may take its time. */
async function seen({ ydoc }: WeftDocument, wanted: string): Promise<void> {
  const text = ydoc.getText(ROOT)
  let lastChange = performance.now()
  const changed = () => {
    lastChange = performance.now()
  }
  ydoc.on('update', changed)
  while (text.length !== wanted.length || text.toString() !== wanted) {
    if (performance.now() - lastChange > PATIENCE_MS) break
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  ydoc.off('update', changed)
  compare('the watcher', text.toString(), wanted)
}

function compare(who: string, text: string, wanted: string): void {
  if (text === wanted) return
  let at = 0
  while (at < text.length && text[at] === wanted[at]) at++
  const excerpt = (whole: string) => JSON.stringify(whole.slice(at, at + 40))
  throw new MismatchError(
    `${who} has ${text.length} characters, the trace ends with ${wanted.length}; they differ at ${at}: ` +
      `${excerpt(text)} and ${excerpt(wanted)}`,
  )
}
