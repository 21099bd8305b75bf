import type { Node } from '@tiptap/pm/model'

export interface OutlineEntry {
  level: number
  text: string
  position: number
}

/** The headings of a document, in order. */
export function outlineOf(doc: Node): OutlineEntry[] {
  const entries: OutlineEntry[] = []
  doc.descendants((node, position) => {
    if (node.type.name === 'heading') {
      const text = node.textContent.trim()
      if (text !== '') entries.push({ level: Number(node.attrs.level), text, position })
    }
    return !node.isTextblock
  })
  return entries
}

/** The words of a document, counted as its language separates them. */
export function countWords(doc: Node): number {
  const segmenter = new Intl.Segmenter(undefined, { granularity: 'word' })
  let count = 0
  doc.descendants(node => {
    if (!node.isTextblock) return true
    const text = node.textBetween(0, node.content.size, ' ', ' ')
    for (const { isWordLike } of segmenter.segment(text)) if (isWordLike) count++
    return false
  })
  return count
}
