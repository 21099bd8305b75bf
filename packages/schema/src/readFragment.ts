import { type Attrs, Fragment, Mark, type MarkType, type Node, type NodeType } from '@tiptap/pm/model'
import * as Y from 'yjs'
import { checkAttribute } from './checkAttribute.ts'
import { fitContent, isValidContent } from './fitContent.ts'
import { schema } from './schema.ts'

/** Something in a shared document that this version's schema can't hold, and an editor bound to it would therefore lose. */
export interface Unknown {
  /**
   * - `node`, `mark`: a name that the schema doesn't have. y-tiptap deletes the element, or the whole text that carries the mark.
   * - `attribute`: an attribute that the schema doesn't have (y-tiptap removes it as soon as its element is edited), or a
   *   value that it doesn't allow (y-tiptap takes it; layout and rendering may fail on it).
   * - `content`: known names in an order that the schema doesn't allow. y-tiptap deletes the parent with all that it holds.
   * - `type`: what is not an element or text of characters at all (a hook, an embed, a map, text at the top level …).
   *   y-tiptap throws on it, or builds a broken node.
   * - `depth`: nested deeper than `maxDepth`. Building it overflows the stack.
   */
  kind: 'node' | 'mark' | 'attribute' | 'content' | 'type' | 'depth'
  /** Indexes of Yjs children from the fragment to the element or text that is meant; `[]` is the fragment. */
  path: number[]
  /** The name of the node, mark or type; of an attribute: `node.attribute`. */
  name: string
  message: string
}

/** What a shared document holds, read without writing to it. */
export interface ReadFragment {
  /** A valid document. Where the shared one holds unknown things, their text is kept as well as can be. */
  node: Node
  unknown: Unknown[]
  /** For every type that is exactly representable: the node, or for a text its text nodes. */
  nodes: Map<Y.XmlElement | Y.XmlText, Node | Node[]>
}

/** Levels of nesting that are read. A list in a list takes two. */
export const maxDepth = 200

// y-tiptap's form of marks that may overlap themselves; our schema has none, other editors may.
const hashedMarkName = /(.*)(--[a-zA-Z0-9+/=]{8})$/

/** The mark that a text's attribute stands for. */
export const markNameOf = (key: string): string => hashedMarkName.exec(key)?.[1] ?? key

const yTypes = {
  XmlText: Y.XmlText,
  XmlHook: Y.XmlHook,
  XmlFragment: Y.XmlFragment,
  Text: Y.Text,
  Map: Y.Map,
  Array: Y.Array,
}

const nameOf = (value: unknown): string => {
  if (value instanceof Y.Doc) return 'Doc'
  if (!(value instanceof Y.AbstractType)) return JSON.stringify(value)
  return Object.entries(yTypes).find(([, type]) => value instanceof type)?.[0] ?? 'AbstractType'
}

/** Whether a reader would miss one of `nodes`: text, an image, a rule. */
const holdsSomething = (nodes: readonly Node[]): boolean =>
  nodes.some(node => {
    let isFound = node.isLeaf
    node.descendants(inner => {
      isFound ||= inner.isLeaf
      return !isFound
    })
    return isFound
  })

/** `given` checked against `type`: values for each attribute that it has, and what is wrong. */
const readAttributes = (type: NodeType | MarkType, given: object) => {
  const attrs: Record<string, unknown> = {}
  const problems: { name: string; message: string }[] = []
  for (const [name, value] of Object.entries(given)) {
    if (name === 'ychange' || value === undefined) continue
    const isKnown = Object.hasOwn(type.spec.attrs ?? {}, name)
    if (!isKnown && value === null) continue
    const message = isKnown ? checkAttribute(type.name, name, value) : `unknown attribute ${JSON.stringify(name)}`
    if (message) problems.push({ name: `${type.name}.${name}`, message })
    else attrs[name] = value
  }
  return { attrs, problems }
}

/** Nodes of elements that were exactly representable and have not changed since. */
export type NodeCache = WeakMap<object, Node>

class Reader {
  readonly unknown: Unknown[] = []
  readonly nodes: ReadFragment['nodes'] = new Map()
  readonly cache: NodeCache | null

  constructor(cache: NodeCache | null) {
    this.cache = cache
  }

  report(kind: Unknown['kind'], path: readonly number[], name: string, message: string): void {
    this.unknown.push({ kind, path: [...path], name, message })
  }

  children(parent: Y.XmlFragment, path: readonly number[]): { content: Node[]; isExact: boolean } {
    const content: Node[] = []
    let isExact = true
    parent.toArray().forEach((child: unknown, index) => {
      const at = [...path, index]
      if (child instanceof Y.XmlElement) {
        const built = this.element(child, at)
        isExact &&= built.isExact
        content.push(...built.content)
      } else if (child instanceof Y.XmlText && path.length > 0) {
        const built = this.text(child, at)
        isExact &&= built.isExact
        content.push(...built.content)
      } else {
        isExact = false
        if (child instanceof Y.XmlText) content.push(...this.text(child, at).content)
        const where = path.length > 0 ? '' : ' at the top level'
        this.report('type', at, nameOf(child), `${nameOf(child)} is not a node of a document${where}`)
      }
    })
    return { content, isExact }
  }

  /** `content`: the node; several or none if it had to be taken apart. `isExact`: nothing had to be changed below and here. */
  element(element: Y.XmlElement, path: readonly number[]): { content: Node[]; isExact: boolean } {
    const cached = this.cache?.get(element)
    if (cached) return { content: [cached], isExact: true }
    const name = element.nodeName
    if (path.length > maxDepth) {
      this.report('depth', path, name, `${name} is nested deeper than ${maxDepth} levels`)
      return { content: [], isExact: false }
    }
    const before = this.unknown.length
    const inside = this.children(element, path)
    const type = schema.nodes[name]
    if (!type || type.isText) {
      this.report('node', path, String(name), `unknown node ${JSON.stringify(name)}`)
      return { content: inside.content, isExact: false }
    }
    const { attrs, problems } = readAttributes(type, element.getAttributes())
    for (const { name, message } of problems) this.report('attribute', path, name, message)
    if (isValidContent(type, inside.content)) {
      const node = type.create(attrs, inside.content)
      const isExact = inside.isExact && problems.length === 0
      if (isExact) {
        this.nodes.set(element, node)
        this.cache?.set(element, node)
      }
      return { content: [node], isExact }
    }
    // Two people who each delete one of two list items leave an empty list. y-tiptap deletes such a shell, and is right.
    if (!holdsSomething(inside.content)) return { content: [], isExact: false }
    this.reportContent(before, path, type, inside.content)
    return { content: this.takeApart(type, attrs, inside.content), isExact: false }
  }

  /** Reports content that `type` can't hold; not if it is what was saved from unknown things, which are reported already. */
  reportContent(before: number, path: readonly number[], type: NodeType, content: readonly Node[]): void {
    if (this.unknown.slice(before).some(({ kind }) => kind !== 'attribute')) return
    const shown = Fragment.from(content).toString().slice(0, 200)
    this.report('content', path, type.name, `invalid content for ${type.name}: ${shown}`)
  }

  /** A textblock that holds blocks becomes several: its text before, the block, its text after. Other nodes hold what fits. */
  takeApart(type: NodeType, attrs: Attrs, content: readonly Node[]): Node[] {
    if (type.isLeaf) return [type.create(attrs), ...content]
    if (!type.inlineContent) return [type.create(attrs, fitContent(type, content))]
    const parts: Node[] = []
    let inline: Node[] = []
    const close = () => {
      if (inline.length > 0) parts.push(type.create(attrs, fitContent(type, inline)))
      inline = []
    }
    for (const node of content) {
      if (node.isInline) inline.push(node)
      else {
        close()
        parts.push(node)
      }
    }
    close()
    return parts
  }

  text(text: Y.XmlText, path: readonly number[]): { content: Node[]; isExact: boolean } {
    const before = this.unknown.length
    const content: Node[] = []
    for (const { insert, attributes } of text.toDelta() as {
      insert: unknown
      attributes?: Record<string, unknown>
    }[]) {
      const marks = this.marks(attributes ?? {}, path)
      if (typeof insert !== 'string') this.report('type', path, nameOf(insert), `${nameOf(insert)} is embedded in text`)
      else if (insert !== '') content.push(schema.text(insert, marks))
    }
    const isExact = this.unknown.length === before
    if (isExact) this.nodes.set(text, content)
    return { content, isExact }
  }

  marks(attributes: Record<string, unknown>, path: readonly number[]): readonly Mark[] {
    let marks: readonly Mark[] = Mark.none
    for (const [key, value] of Object.entries(attributes)) {
      const name = markNameOf(key)
      const type = schema.marks[name]
      if (!type) {
        this.report('mark', path, name, `unknown mark ${JSON.stringify(name)}`)
        continue
      }
      const { attrs, problems } = readAttributes(type, Object(value))
      for (const { name, message } of problems) this.report('attribute', path, name, message)
      marks = type.create(attrs).addToSet(marks)
    }
    return marks
  }
}

/**
 * Reads a shared document, whatever is in it, without ever writing to it. (y-tiptap's own conversions delete what they
 * can't build from the shared document, for everybody.)
 * @param fragment of any origin; need not be valid.
 * @param cache of earlier readings; `nodes` then lacks what came from it.
 */
export const readFragment = (fragment: Y.XmlFragment, cache: NodeCache | null = null): ReadFragment => {
  const reader = new Reader(cache)
  const { content } = reader.children(fragment, [])
  const type = schema.topNodeType
  if (content.length > 0 && !isValidContent(type, content)) reader.reportContent(0, [], type, content)
  return { node: type.create(null, fitContent(type, content)), unknown: reader.unknown, nodes: reader.nodes }
}

/** A child of a shared document, at its top level. */
export interface ReadBlock {
  /** The blocks that it is read as: one; none, or several, where it had to be taken apart. */
  nodes: Node[]
  /** It is one block, and holds nothing but what the schema has, and marks: it can be changed without losing anything. */
  isWhole: boolean
}

/** Reads the children of a fragment one by one; together they are what `readFragment` reads. Never writes. */
export const readBlocks = (fragment: Y.XmlFragment): ReadBlock[] =>
  fragment.toArray().map((child: unknown, index) => {
    const reader = new Reader(null)
    const path = [index]
    const content =
      child instanceof Y.XmlElement
        ? reader.element(child, path).content
        : child instanceof Y.XmlText
          ? reader.text(child, path).content
          : []
    const nodes = content.length === 0 ? [] : fitContent(schema.topNodeType, content)
    const isKnown = reader.unknown.every(({ kind }) => kind === 'attribute' || kind === 'mark')
    return { nodes, isWhole: isKnown && nodes.length === 1 && child instanceof Y.XmlElement }
  })
