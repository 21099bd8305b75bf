import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'

/** `[position, deleted, inserted]`: at a position, so many UTF-16 units go and a text comes. */
export type Edit = readonly [position: number, deleted: number, inserted: string]

/** How somebody wrote a text. */
export interface Trace {
  /** One at a time; those that were made at once stand together. */
  readonly transactions: readonly (readonly Edit[])[]
  readonly editCount: number
  readonly startContent: string
  /** The text at the end. */
  readonly endContent: string
}

/** A file that is no trace, or a trace that contradicts itself; `message` says where. */
export class TraceError extends Error {
  override readonly name = 'TraceError'
}

/**
 * Reads an editing trace: JSON, perhaps compressed with gzip; `{ startContent?, endContent?, txns: [{ patches: Edit[] }] }`
 * as in github.com/josephg/editing-traces, or a plain array of edits.
 * @throws {TraceError}
 */
export async function readTrace(path: string): Promise<Trace> {
  let bytes: Buffer
  try {
    bytes = await readFile(path)
    // The first two bytes of every gzip file (RFC 1952).
    if (bytes[0] === 0x1f && bytes[1] === 0x8b) bytes = await promisify(gunzip)(bytes)
  } catch (error) {
    throw new TraceError(`${path} cannot be read: ${messageOf(error)}`)
  }
  let json: unknown
  try {
    json = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    throw new TraceError(`${path} is not JSON: ${messageOf(error)}`)
  }
  return parseTrace(json)
}

/** @throws {TraceError} */
export function parseTrace(json: unknown): Trace {
  const whole = Array.isArray(json) ? { txns: json.map(edit => ({ patches: [edit] })) } : json
  if (!isObject(whole) || !Array.isArray(whole.txns)) {
    throw new TraceError('not a trace: neither an array of edits nor an object with txns')
  }
  let editCount = 0
  const transactions = whole.txns.map((transaction: unknown, index) => {
    if (!isObject(transaction) || !Array.isArray(transaction.patches)) {
      throw new TraceError(`transaction ${index} has no patches`)
    }
    return transaction.patches.map((edit: unknown) => parseEdit(edit, editCount++))
  })
  const startContent = parseText(whole.startContent ?? '', 'startContent')
  const endContent = whole.endContent ?? endOf(startContent, transactions.flat())
  return { transactions, editCount, startContent, endContent: parseText(endContent, 'endContent') }
}

function parseEdit(edit: unknown, index: number): Edit {
  if (!Array.isArray(edit)) throw new TraceError(`edit ${index} is not [position, deleted, inserted]`)
  const [position, deleted, inserted]: unknown[] = edit
  if (!isCount(position) || !isCount(deleted) || typeof inserted !== 'string') {
    throw new TraceError(`edit ${index} is not [position, deleted, inserted]: ${JSON.stringify(edit).slice(0, 100)}`)
  }
  return [position, deleted, inserted]
}

/** The text that edits make, where a trace doesn't say it. */
function endOf(start: string, edits: readonly Edit[]): string {
  let text = start
  for (const [index, [position, deleted, inserted]] of edits.entries()) {
    if (position + deleted > text.length) throw outside(index, position, deleted, text.length)
    text = text.slice(0, position) + inserted + text.slice(position + deleted)
  }
  return text
}

/** An edit that doesn't fit the text that it is made on. */
export function outside(index: number, position: number, deleted: number, length: number): TraceError {
  return new TraceError(
    `edit ${index} (position ${position}, deletes ${deleted}) is outside of the text of ${length} characters`,
  )
}

function parseText(value: unknown, name: string): string {
  if (typeof value !== 'string') throw new TraceError(`${name} is not a text`)
  return value
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
