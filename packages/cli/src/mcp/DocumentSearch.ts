import type { DocumentId } from '@weft/protocol'
import { isOfOneDocument, type ServerApi, type TaggedText } from '../ServerApi.ts'

/** Documents that are asked for at the same time: the server renders two. */
const AT_ONCE = 4
/** Documents that one search looks through, and how long it may take, in ms. */
const MAX_DOCUMENTS = 2000
const TIME_LIMIT_MS = 20_000
/** Characters of documents that are kept for the next search. */
const MAX_KEPT = 32 * 2 ** 20
const MAX_EXCERPTS = 3
/** Characters of an excerpt around what was found. */
const EXCERPT_LENGTH = 160

export interface Excerpt {
  /** In the document's Markdown, from 1. */
  readonly line: number
  readonly text: string
}

export interface Hit {
  readonly documentId: DocumentId
  readonly isNameMatch: boolean
  /** Lines that match. */
  readonly lineCount: number
  /** The first of them. */
  readonly excerpts: readonly Excerpt[]
}

export interface SearchResult {
  readonly hits: readonly Hit[]
  readonly searchedCount: number
  /** Documents that could not be read, or have no text. */
  readonly unreadCount: number
  /** Behind which name to go on; null: nothing is left. */
  readonly next: DocumentId | null
}

/**
 * Looks for text in documents and their names, one after the other: there is no index. What was read is kept, and asked for
 * again only where it has changed.
 */
export class DocumentSearch {
  readonly #api: Pick<ServerApi, 'list' | 'readMarkdown'>
  /** What was used last is last. */
  readonly #texts = new Map<DocumentId, TaggedText>()
  #keptLength = 0

  constructor(api: Pick<ServerApi, 'list' | 'readMarkdown'>) {
    this.#api = api
  }

  /**
   * @param options.limit hits after which it stops
   * @param options.after the name behind which it begins
   * @throws {CommandError} no document can be read now
   */
  async find(
    query: string,
    { prefix, limit, after }: { prefix: string; limit: number; after: string | null },
  ): Promise<SearchResult> {
    const find = finderOf(query)
    const end = performance.now() + TIME_LIMIT_MS
    const hits: Hit[] = []
    let [searchedCount, unreadCount] = [0, 0]
    let last: DocumentId | null = null
    let batch: DocumentId[] = []
    const searchBatch = async () => {
      const texts = await Promise.all(batch.map(documentId => this.#read(documentId)))
      for (const [index, documentId] of batch.entries()) {
        const text = texts[index] ?? null
        searchedCount++
        last = documentId
        if (text === null) unreadCount++
        const hit = match(documentId, text ?? '', find)
        if (hit !== null) hits.push(hit)
        if (hits.length === limit) break
      }
      batch = []
      return hits.length === limit || searchedCount >= MAX_DOCUMENTS || performance.now() > end
    }
    for await (const { name } of this.#api.list(prefix, after)) {
      // There is one more.
      if (batch.length === AT_ONCE && (await searchBatch())) return { hits, searchedCount, unreadCount, next: last }
      batch.push(name)
    }
    const final = batch.at(-1)
    await searchBatch()
    return { hits, searchedCount, unreadCount, next: last === (final ?? null) ? null : last }
  }

  /** @returns null: it has no text, or can't be read */
  async #read(documentId: DocumentId): Promise<string | null> {
    const known = this.#texts.get(documentId)
    try {
      const read = await this.#api.readMarkdown(documentId, known)
      this.#keep(documentId, read)
      return read.text
    } catch (error) {
      this.#drop(documentId)
      if (isOfOneDocument(error)) return null
      throw error
    }
  }

  #keep(documentId: DocumentId, text: TaggedText): void {
    this.#drop(documentId)
    this.#texts.set(documentId, text)
    this.#keptLength += text.text.length
    for (const oldest of this.#texts.keys()) {
      if (this.#keptLength <= MAX_KEPT) return
      this.#drop(oldest)
    }
  }

  #drop(documentId: DocumentId): void {
    this.#keptLength -= this.#texts.get(documentId)?.text.length ?? 0
    this.#texts.delete(documentId)
  }
}

/** Where something was found, in a line of text. */
interface Place {
  readonly text: string
  readonly index: number
  readonly length: number
}

/**
 * Finds what reads like `query` in a line: blanks of any number, capitals or not; in the line as it stands, or else without
 * the signs by which Markdown formats and escapes.
 */
export function finderOf(query: string): (line: string) => Place | null {
  const patterns = [
    { pattern: patternOf(query), read: (line: string) => line },
    { pattern: patternOf(withoutSigns(query)), read: withoutSigns },
  ]
  return line => {
    for (const { pattern, read } of patterns) {
      const text = read(line)
      const found = pattern?.exec(text)
      if (found) return { text, index: found.index, length: found[0].length }
    }
    return null
  }
}

const withoutSigns = (text: string): string => text.replace(/[*_~`\\]/g, '')

/** Null: nothing is left to look for. */
function patternOf(query: string): RegExp | null {
  const words = query.normalize('NFC').trim().split(/\s+/u)
  const source = words.map(word => word.replace(/[$()*+.?[\\\]^{|}/]/g, '\\$&')).join('\\s+')
  return source === '' ? null : new RegExp(source, 'iu')
}

function match(documentId: DocumentId, text: string, find: (line: string) => Place | null): Hit | null {
  const isNameMatch = find(documentId) !== null
  const excerpts: Excerpt[] = []
  let lineCount = 0
  for (const [index, line] of text.split('\n').entries()) {
    const place = find(line)
    if (place === null) continue
    lineCount++
    if (excerpts.length < MAX_EXCERPTS) excerpts.push({ line: index + 1, text: cutAround(place) })
  }
  return isNameMatch || lineCount > 0 ? { documentId, isNameMatch, lineCount, excerpts } : null
}

function cutAround({ text, index, length }: Place): string {
  const from = Math.max(0, index - Math.max(0, Math.floor((EXCERPT_LENGTH - length) / 2)))
  const to = Math.min(text.length, from + EXCERPT_LENGTH)
  return `${from > 0 ? '…' : ''}${text.slice(from, to).trim()}${to < text.length ? '…' : ''}`
}
