import type { Mark, Node } from '@tiptap/pm/model'
import type * as Y from 'yjs'
import { checkAttribute } from './checkAttribute.ts'
import { readNode } from './findUnknown.ts'
import { schema } from './schema.ts'

/** A JSON value that is an object. */
export type JSONObject = { [key: string]: unknown }

/**
 * The shared document as ProseMirror JSON: `{ type: 'doc', content: [{ type: 'paragraph', content: [{ type: 'text', … }] }] }`.
 * Never writes; unknown things are left out as in `readNode`.
 */
export const toJSON = (fragment: Y.XmlFragment): JSONObject => readNode(fragment).toJSON()

const checkAttributes = ({ type, attrs }: Node | Mark): void => {
  for (const [name, value] of Object.entries(attrs)) {
    const message = checkAttribute(type.name, name, value)
    if (message) throw new RangeError(message)
  }
}

/**
 * Checks a node that was not made from a shared document or by this package: content, marks and attributes.
 * @throws {RangeError} that names what is wrong.
 */
export const checkNode = (node: Node): void => {
  node.check()
  const checkOne = (inner: Node) => {
    checkAttributes(inner)
    for (const mark of inner.marks) checkAttributes(mark)
  }
  checkOne(node)
  node.descendants(checkOne)
}

/**
 * A document from ProseMirror JSON, checked against the schema.
 * @param json a whole document (`type: 'doc'`), or any one node of it.
 * @throws {RangeError} that names what is wrong: an unknown node or mark, invalid content, an invalid attribute.
 */
export const fromJSON = (json: unknown): Node => {
  let node: Node
  try {
    node = schema.nodeFromJSON(json)
    checkNode(node)
  } catch (cause) {
    throw new RangeError(`not a document: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
  return node
}
