import type { Node } from '@tiptap/pm/model'
import { DOMParser as NodeParser } from '@tiptap/pm/model'
import { DOMParser } from 'linkedom'
import { fitContent } from './fitContent.ts'
import { maxHTMLBytes, maxHTMLNodes } from './html.ts'
import { checkNode } from './json.ts'
import { schema } from './schema.ts'

/**
 * A document from HTML, by the same rules by which an editor takes in what is pasted: what the schema doesn't have becomes its
 * text, scripts and styles are left out, addresses that aren't allowed, too (`isSafeLink`, `isSafeImage`). Not in the package's
 * index: it brings an HTML parser along, for programs without a DOM.
 *
 * The schema is all that stands between a stranger's HTML and a document: it has no raw HTML, and what is parsed here never runs.
 * @param html a page, or a part of one; at most `maxHTMLBytes` and `maxHTMLNodes`
 * @throws {RangeError} it is too much, nested too deeply, or holds attributes that can't be (`checkNode`)
 */
export const fromHTML = (html: string): Node => {
  if (utf8Length(html) > maxHTMLBytes) throw new RangeError(`HTML is taken in up to ${maxHTMLBytes} bytes at once`)
  // A part of a page gets its body here; of a whole page the tags within a body are passed over, as browsers do.
  const page = /<body[\s>]/i.test(html) ? html : `<!DOCTYPE html><html><body>${html}</body></html>`
  try {
    const { body } = new DOMParser().parseFromString(page, 'text/html')
    if (hasMoreNodes(body as unknown as TreeNode, maxHTMLNodes)) {
      throw new RangeError(`HTML is taken in up to ${maxHTMLNodes} elements and texts at once`)
    }
    const parsed = NodeParser.fromSchema(schema).parse(body as never)
    const node = schema.topNodeType.create(null, fitContent(schema.topNodeType, parsed.children))
    checkNode(node)
    return node
  } catch (cause) {
    throw new RangeError(`not a document: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

const utf8Length = (text: string): number =>
  // No text has fewer bytes than UTF-16 units.
  text.length > maxHTMLBytes ? text.length : new TextEncoder().encode(text).length

/** What is used of a parsed node; the package is compiled without a DOM. */
interface TreeNode {
  readonly childNodes: ArrayLike<TreeNode>
}

/** Whether there are more nodes than `limit` below `root`. Does not recurse: nesting has no limit in HTML. */
const hasMoreNodes = (root: TreeNode, limit: number): boolean => {
  let count = 0
  const waiting: TreeNode[] = [root]
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    count += node.childNodes.length
    if (count > limit) return true
    for (const child of Array.from(node.childNodes)) waiting.push(child)
  }
  return false
}
