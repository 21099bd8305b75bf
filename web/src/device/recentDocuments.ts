import { signal } from '@preact/signals'
import { base } from '../base.ts'
import { readStored, writeStored } from './storage.ts'

/** A document that was opened on this device. */
export interface RecentDocument {
  documentId: string
  /** What it was called when it was last seen; empty: it has no title yet. */
  title: string
  /** Unix time in ms. */
  openedAt: number
}

/** Servers under several paths of one host share what is stored. */
const KEY = base === '/' ? 'weft.documents' : `weft.documents:${base}`

/** More than anybody scrolls through; about 40 kB. */
export const maxRecentDocuments = 300

const maxTitleLength = 120

/** The list from what is stored: entries that can't be read are left out, newest first. */
export function parseRecent(stored: string | null): RecentDocument[] {
  let value: unknown
  try {
    value = JSON.parse(stored ?? '[]')
  } catch {
    return []
  }
  if (!Array.isArray(value)) return []
  const list: RecentDocument[] = []
  const seen = new Set<string>()
  for (const entry of value as unknown[]) {
    if (typeof entry !== 'object' || entry === null) continue
    const { documentId, title, openedAt } = entry as Record<string, unknown>
    if (typeof documentId !== 'string' || documentId === '' || seen.has(documentId)) continue
    seen.add(documentId)
    list.push({
      documentId,
      title: typeof title === 'string' ? title : '',
      openedAt: typeof openedAt === 'number' && Number.isFinite(openedAt) ? openedAt : 0,
    })
  }
  return list.sort((a, b) => b.openedAt - a.openedAt)
}

/** The list with `entry` in front, in place of what it had of the same document. */
export function withRecent(list: readonly RecentDocument[], entry: RecentDocument): RecentDocument[] {
  const others = list.filter(({ documentId }) => documentId !== entry.documentId)
  return [{ ...entry, title: entry.title.slice(0, maxTitleLength) }, ...others].slice(0, maxRecentDocuments)
}

/** The list with a new title for one document, in the same order; the same list if nothing changes. */
export function withTitle(list: RecentDocument[], documentId: string, title: string): RecentDocument[] {
  const short = title.slice(0, maxTitleLength)
  if (!list.some(entry => entry.documentId === documentId && entry.title !== short)) return list
  return list.map(entry => (entry.documentId === documentId ? { ...entry, title: short } : entry))
}

/** The documents opened on this device, newest first. */
export const recentDocuments = signal(parseRecent(readStored(KEY)))

/** Other tabs write the same list: every change starts from what is stored. */
function change(how: (list: RecentDocument[]) => RecentDocument[]): void {
  const before = parseRecent(readStored(KEY))
  const after = how(before)
  if (after !== before) writeStored(KEY, JSON.stringify(after))
  recentDocuments.value = after
}

/** A document was opened, and its content is here: it comes first. */
export function rememberDocument(documentId: string, now: number): void {
  change(list => {
    const title = list.find(entry => entry.documentId === documentId)?.title ?? ''
    return withRecent(list, { documentId, title, openedAt: now })
  })
}

/** A document has this title now. */
export function rememberTitle(documentId: string, title: string): void {
  change(list => withTitle(list, documentId, title))
}

/** Takes a document off the list; the document itself stays as it is. */
export function forgetDocument(documentId: string): void {
  change(list => list.filter(entry => entry.documentId !== documentId))
}

/** Puts an entry back that was taken off. */
export function restoreDocument(entry: RecentDocument): void {
  change(list => withRecent(list, entry).sort((a, b) => b.openedAt - a.openedAt))
}

/** Follows what other tabs open. Called once. */
export function startRecentDocuments(): void {
  window.addEventListener('storage', event => {
    if (event.key === KEY || event.key === null) recentDocuments.value = parseRecent(readStored(KEY))
  })
}
