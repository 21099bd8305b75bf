import type { Node } from '@tiptap/pm/model'
import { DOMParser as NodeParser } from '@tiptap/pm/model'
import { DOMParser } from 'linkedom'
import { fitContent } from './fitContent.ts'
import { checkNode } from './json.ts'
import { schema } from './schema.ts'

/**
 * A document from HTML, by the same rules by which an editor takes in what is pasted: what the schema doesn't have becomes its
 * text, scripts and styles are left out, addresses that aren't allowed, too (`isSafeLink`, `isSafeImage`). Not in the package's
 * index: it brings an HTML parser along, for programs without a DOM.
 * @param html a page, or a part of one
 * @throws {RangeError} it is nested too deeply, or holds attributes that can't be (`checkNode`)
 */
export const fromHTML = (html: string): Node => {
  // A part of a page gets its body here; of a whole page the tags within a body are passed over, as browsers do.
  const page = /<body[\s>]/i.test(html) ? html : `<!DOCTYPE html><html><body>${html}</body></html>`
  try {
    const { body } = new DOMParser().parseFromString(page, 'text/html')
    const parsed = NodeParser.fromSchema(schema).parse(body as never)
    const node = schema.topNodeType.create(null, fitContent(schema.topNodeType, parsed.children))
    checkNode(node)
    return node
  } catch (cause) {
    throw new RangeError(`not a document: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}
