import { FRAGMENT_NAME } from '@weft/schema'
import * as Y from 'yjs'

/** What a document holds outside of the text that this page shows. */
export interface ContentElsewhere {
  /** Whether it is text, of whatever application: `Y.Text` or `Y.XmlFragment`. */
  isText: boolean
  /** Names of the shared types that hold it; of those with text alone, where there is text. */
  names: string[]
}

/**
 * What shared types hold that nobody here has asked for. Yjs doesn't know yet what they are, lists, maps or texts: it only
 * has their items, from which this is read.
 * @returns `null` where there is nothing
 */
export function contentElsewhere(ydoc: Y.Doc): ContentElsewhere | null {
  const texts: string[] = []
  const others: string[] = []
  for (const [name, type] of ydoc.share) {
    const first = name === FRAGMENT_NAME ? null : firstItem(type)
    if (first !== null && isOfText(first.content)) texts.push(name)
    else if (first !== null || hasEntry(type)) others.push(name)
  }
  if (texts.length > 0) return { isText: true, names: texts }
  return others.length > 0 ? { isText: false, names: others } : null
}

function firstItem({ _start }: { _start: Y.Item | null }): Y.Item | null {
  let item = _start
  // What begins a formatting is not counted: it can stand in a text that has nothing in it.
  while (item !== null && (item.deleted || !item.countable)) item = item.right
  return item
}

function hasEntry({ _map }: { _map: Map<string, Y.Item> }): boolean {
  for (const item of _map.values()) if (!item.deleted) return true
  return false
}

function isOfText(content: Y.Item['content']): boolean {
  if (content instanceof Y.ContentString || content instanceof Y.ContentEmbed) return true
  return content instanceof Y.ContentType && (content.type instanceof Y.XmlElement || content.type instanceof Y.XmlText)
}
