import type { DOMOutputSpec, Mark, Node } from '@tiptap/pm/model'

/** Longest HTML that is taken in at once, pasted or imported, in bytes of UTF-8. */
export const maxHTMLBytes = 2 << 20

/** Nodes, elements and texts, that HTML may have to be taken in at once. */
export const maxHTMLNodes = 20_000

// https://html.spec.whatwg.org/multipage/syntax.html#void-elements
const voidTags = new Set('area base br col embed hr img input link meta source track wbr'.split(' '))

const replacements: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

const escapeHTML = (text: string): string => text.replace(/[&<>"']/g, character => replacements[character] ?? character)

const isAttributes = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** An output spec as pieces of HTML; 0 is the place of the content. */
const renderSpec = (spec: DOMOutputSpec): (string | 0)[] => {
  if (typeof spec === 'string') return [escapeHTML(spec)]
  if (!Array.isArray(spec)) throw new TypeError('only output specs of strings and arrays can be rendered without a DOM')
  const [tag, second, ...others] = spec as unknown as [string, unknown, ...unknown[]]
  const attributes = isAttributes(second) ? second : {}
  const children = isAttributes(second) || second === undefined ? others : [second, ...others]
  let start = `<${tag}`
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) start += ` ${name}="${escapeHTML(String(value))}"`
  }
  if (voidTags.has(tag)) return [`${start}>`]
  const inside = children.flatMap(child => (child === 0 ? 0 : renderSpec(child as DOMOutputSpec)))
  return [`${start}>`, ...inside, `</${tag}>`]
}

/** What stands before and after the content of a node or mark. */
const wrapperOf = (item: Node | Mark): { open: string; close: string } => {
  const spec = 'marks' in item ? item.type.spec.toDOM?.(item) : item.type.spec.toDOM?.(item, true)
  if (!spec) return { open: '', close: '' }
  const pieces = renderSpec(spec)
  const place = pieces.indexOf(0)
  if (place < 0) return { open: pieces.join(''), close: '' }
  return { open: pieces.slice(0, place).join(''), close: pieces.slice(place + 1).join('') }
}

type Step = { write: string } | { node: Node }

/**
 * A document as HTML, from the same output specs that the editor renders: text and attributes escaped, links and images
 * only with addresses of allowed schemes (`isSafeLink`, `isSafeImage`). Needs no DOM and does not recurse, so that nesting
 * has no limit here.
 * @param node a document: its blocks, without a wrapper; or any other node.
 */
export const toHTML = (node: Node): string => {
  let html = ''
  const steps: Step[] = [{ node }]
  for (let step = steps.pop(); step; step = steps.pop()) {
    if ('write' in step) {
      html += step.write
      continue
    }
    const { node } = step
    if (node.isText) {
      html += escapeHTML(node.text ?? '')
      continue
    }
    const { open, close } = wrapperOf(node)
    html += open
    const inside: Step[] = []
    let active: { mark: Mark; close: string }[] = []
    const closeTo = (depth: number) => {
      for (const { close } of active.slice(depth).reverse()) inside.push({ write: close })
      active = active.slice(0, depth)
    }
    node.forEach(child => {
      let kept = 0
      while (kept < active.length && child.marks[kept] && active[kept]?.mark.eq(child.marks[kept] as Mark)) kept++
      closeTo(kept)
      for (const mark of child.marks.slice(kept)) {
        const rendered = wrapperOf(mark)
        inside.push({ write: rendered.open })
        active.push({ mark, close: rendered.close })
      }
      inside.push({ node: child })
    })
    closeTo(0)
    steps.push({ write: close })
    for (const step of inside.reverse()) steps.push(step)
  }
  return html
}
