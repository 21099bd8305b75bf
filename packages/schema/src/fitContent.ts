import { Fragment, type Node, type NodeType } from '@tiptap/pm/model'
import { schema } from './schema.ts'

/**
 * Arranges `children` so that they are valid content of a node of `type`, keeping their text:
 * what is required and missing is filled in, what stands too high is wrapped, what cannot stand here is replaced by its
 * content, marks that are not allowed here are dropped. A leaf that nothing can hold is left out.
 */
export const fitContent = (type: NodeType, children: readonly Node[]): Node[] => {
  const fitted: Node[] = []
  let match = type.contentMatch
  let wrapped: { types: readonly NodeType[]; nodes: Node[] } | null = null

  const push = (node: Node) => {
    fitted.push(node)
    match = match.matchType(node.type) ?? match
  }
  const closeWrapped = () => {
    if (!wrapped) return
    const { types, nodes } = wrapped
    wrapped = null
    const inside = types
      .toReversed()
      .reduce((content, wrapper) => [wrapper.create(null, fitContent(wrapper, content))], nodes)
    for (const node of inside) push(node)
  }
  const add = (child: Node) => {
    const node = child.isText ? child.mark(type.allowedMarks(child.marks)) : child
    if (wrapped?.types.at(-1)?.contentMatch.matchType(node.type)) {
      wrapped.nodes.push(node)
      return
    }
    closeWrapped()
    if (match.matchType(node.type)) return push(node)
    const missing = match.fillBefore(Fragment.from(node))
    if (missing) {
      missing.forEach(push)
      return push(node)
    }
    const types = match.findWrapping(node.type)
    if (types && types.length > 0) {
      wrapped = { types, nodes: [node] }
      return
    }
    if (node.type.name === 'hardBreak' && type.spec.code) return push(schema.text('\n'))
    node.forEach(add)
  }

  for (const child of children) add(child)
  closeWrapped()
  match.fillBefore(Fragment.empty, true)?.forEach(push)
  return fitted
}

/** Whether `children` are content that a node of `type` may have. */
export const isValidContent = (type: NodeType, children: readonly Node[]): boolean =>
  type.validContent(Fragment.from(children))
