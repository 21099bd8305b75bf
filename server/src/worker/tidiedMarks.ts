import { isDeepStrictEqual } from 'node:util'
import * as Y from 'yjs'
import type { Ranges } from '../crdt/ranges.ts'

/**
 * What deletions would take from a document although no reader sees a difference. Yjs tidies on every replica: it deletes marks of
 * formatting that have become redundant, and says so in updates and sync steps 2. But a mark that isn't redundant is deleted in
 * the same way by somebody who ends a format: so what is seen before and after is compared.
 *
 * @param deletes `Map<clientID, ranges>`; what is deleted already, and what the document doesn't know, is passed over
 * @returns `Map<clientID, ranges>`, the marks; null where something that is seen would go, or a text look different, or look
 * different where somebody types on at its end
 */
export function tidiedMarks(doc: Y.Doc, deletes: ReadonlyMap<number, Ranges>): Map<number, number[]> | null {
  const marks = new Set<Y.Item>()
  const ranges = new Map<number, number[]>()
  for (const [clientID, deleted] of deletes) {
    const structs = doc.store.clients.get(clientID) ?? []
    const own: number[] = []
    for (let index = 0; index < deleted.length; index += 2) {
      const start = deleted[index] as number
      const end = Math.min(deleted[index + 1] as number, Y.getState(doc.store, clientID))
      if (start >= end) continue
      for (let at = Y.findIndexSS(structs, start); at < structs.length; at++) {
        const struct = structs[at]
        if (struct === undefined || struct.id.clock >= end) break
        if (!(struct instanceof Y.Item) || struct.deleted) continue
        if (!(struct.content instanceof Y.ContentFormat)) return null
        marks.add(struct)
        own.push(struct.id.clock, struct.id.clock + 1)
      }
    }
    if (own.length > 0) ranges.set(clientID, own)
  }
  const texts = new Set([...marks].map(mark => mark.parent as Y.AbstractType<unknown>))
  for (const text of texts) if (looksDifferentWithout(text, marks)) return null
  return ranges
}

/** One walk over a text: which attributes it has with these marks, and without them, at each place where something stands. */
function looksDifferentWithout(text: Y.AbstractType<unknown>, marks: ReadonlySet<Y.Item>): boolean {
  const before = new Map<string, unknown>()
  const after = new Map<string, unknown>()
  const different = new Set<string>()
  for (let item = text._start; item !== null; item = item.right) {
    if (item.deleted) continue
    if (item.content instanceof Y.ContentFormat) {
      const { key, value } = item.content
      before.set(key, value)
      if (!marks.has(item)) after.set(key, value)
      // Null ends a format.
      if (isDeepStrictEqual(before.get(key) ?? null, after.get(key) ?? null)) different.delete(key)
      else different.add(key)
    } else if (item.countable && different.size > 0) return true
  }
  return different.size > 0
}
