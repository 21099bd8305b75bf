import { Fragment, Mark, type Node } from '@tiptap/pm/model'
import MarkdownIt, { type MarkdownIt as Parser, type StateCore, type StateInline, type Token } from 'markdown-it'
import { fitContent } from './fitContent.ts'
import { schema } from './schema.ts'
import { isSafeImage, isSafeLink } from './urls.ts'

/**
 * Stands for nothing at all; other readers of Markdown see nothing there. Alone: an empty paragraph. Between two stretches
 * of formatting: what makes their delimiters count. Any other HTML is text.
 */
export const nothing = '<!-- -->'

const lineBreak = /^<br\s*\/?>/i

/** `<br>` is a line break: in table cells and headings Markdown has no other. */
const lineBreakRule = (state: StateInline, silent: boolean): boolean => {
  if (state.src.charCodeAt(state.pos) !== 0x3c) return false
  const found = lineBreak.exec(state.src.slice(state.pos, state.pos + 20))
  if (!found) return false
  if (!silent) state.push('hardbreak', 'br', 0)
  state.pos += found[0].length
  return true
}

const nothingRule = (state: StateInline, silent: boolean): boolean => {
  if (!state.src.startsWith(nothing, state.pos)) return false
  // An empty token, so that the text before and after is not one word for the rules that follow.
  if (!silent) state.push('text', '', 0)
  state.pos += nothing.length
  return true
}

const task = /^\[([ xX])\](?:\s+|$)/

/** Marks the items of bullet lists that begin with `[ ]` or `[x]` (GFM's task list items) and takes that out of their text. */
const tasksRule = (state: StateCore): void => {
  const lists: boolean[] = []
  state.tokens.forEach((token, index) => {
    if (token.type === 'bullet_list_open' || token.type === 'ordered_list_open')
      lists.push(token.type === 'bullet_list_open')
    if (token.type === 'bullet_list_close' || token.type === 'ordered_list_close') lists.pop()
    const inline = state.tokens[index + 2]
    if (token.type !== 'list_item_open' || !lists.at(-1)) return
    if (state.tokens[index + 1]?.type !== 'paragraph_open' || inline?.type !== 'inline') return
    const found = task.exec(inline.content)
    if (!found) return
    token.meta = { checked: found[1] !== ' ' }
    inline.content = inline.content.slice(found[0].length)
  })
}

const createParser = (): Parser => {
  // Nesting as deep as shared documents are read: two levels here per list in a list.
  const parser = new MarkdownIt('default', { html: false, linkify: false, typographer: false, maxNesting: 500 })
  parser.inline.ruler.before('autolink', 'line_break', lineBreakRule)
  parser.inline.ruler.before('line_break', 'nothing', nothingRule)
  parser.core.ruler.before('inline', 'tasks', tasksRule)
  parser.validateLink = url => url === '' || isSafeLink(url)
  // Addresses stay as they are written: percent-encoding is the browser's business.
  parser.normalizeLink = url => url
  parser.normalizeLinkText = url => url
  return parser
}

let parser: Parser | undefined
const getParser = (): Parser => {
  parser ??= createParser()
  return parser
}

const markNames: Record<string, string> = { strong: 'bold', em: 'italic', s: 'strike' }

const textOfTokens = (tokens: readonly Token[]): string =>
  tokens
    .map(({ type, content, children }) => {
      if (type === 'hardbreak' || type === 'softbreak') return ' '
      return type === 'image' ? textOfTokens(children ?? []) : content
    })
    .join('')

/** Inline tokens as inline nodes and, at the places where they stand, images (which are blocks). */
const readInline = (tokens: readonly Token[]): Node[] => {
  const nodes: Node[] = []
  let marks: readonly Mark[] = Mark.none
  const add = (text: string, extra?: Mark) => {
    if (text !== '') nodes.push(schema.text(text, extra ? extra.addToSet(marks) : marks))
  }
  for (const token of tokens) {
    const { type, content } = token
    const [, base, edge] = /^(\w+?)_(open|close)$/.exec(type) ?? []
    if (type === 'code_inline') add(content, schema.mark('code'))
    else if (type === 'softbreak') add(' ')
    else if (type === 'hardbreak') nodes.push(schema.node('hardBreak'))
    else if (type === 'image') {
      const src = token.attrGet('src')
      const alt = textOfTokens(token.children ?? [])
      if (src === '' || isSafeImage(src))
        nodes.push(schema.node('image', { src: src || null, alt: alt || null, title: token.attrGet('title') || null }))
      else add(alt)
    } else if (base && edge) {
      const name = markNames[base] ?? base
      const attrs = base === 'link' ? { href: token.attrGet('href'), title: token.attrGet('title') || null } : null
      const mark = attrs?.href === '' ? undefined : schema.marks[name]
      if (mark) marks = edge === 'open' ? mark.create(attrs).addToSet(marks) : mark.removeFromSet(marks)
    } else add(content)
  }
  return nodes
}

/** Blanks and line breaks beside an image that is taken out of its line go with it. */
const trimLine = (line: readonly Node[], start: boolean, end: boolean): Node[] => {
  const nodes = [...line]
  for (const [isWanted, side] of [[start, 0] as const, [end, -1] as const]) {
    while (isWanted && nodes.length > 0) {
      const node = nodes.at(side) as Node
      const text = side === 0 ? (node.text ?? '').trimStart() : (node.text ?? '').trimEnd()
      if (text === node.text) break
      nodes.splice(side === 0 ? 0 : nodes.length - 1, 1, ...(text ? [schema.text(text, node.marks)] : []))
      if (text) break
    }
  }
  return nodes
}

/** A line of text as blocks of `type`: one; more where images stand in it, which become blocks of their own. */
const splitAtImages = (type: string, attrs: Record<string, unknown> | null, inline: readonly Node[]): Node[] => {
  const make = (content: readonly Node[]) => schema.node(type, attrs, [...content])
  if (!inline.some(node => node.isBlock)) return [make(inline)]
  const blocks: Node[] = []
  let line: Node[] = []
  const close = (isEnd: boolean) => {
    const trimmed = trimLine(line, blocks.length > 0, !isEnd)
    if (trimmed.length > 0) blocks.push(make(trimmed))
    line = []
  }
  for (const node of inline) {
    if (node.isBlock) {
      close(false)
      blocks.push(node)
    } else line.push(node)
  }
  close(true)
  return blocks
}

/** One open container: its children so far. */
interface Open {
  token: Token | null
  children: Node[]
  /** Of a list: whether its items are tasks, and which are checked. */
  tasks: (boolean | null)[]
}

/** The items of a bullet list as lists: neighbours with a box form a task list, those without a bullet list. */
const makeLists = (items: readonly Node[], tasks: readonly (boolean | null)[]): Node[] => {
  const lists: Node[] = []
  for (let from = 0; from < items.length; ) {
    const isTask = typeof tasks[from] === 'boolean'
    let to = from
    while (to < items.length && (typeof tasks[to] === 'boolean') === isTask) to++
    const list = items
      .slice(from, to)
      .map((item, index) => (isTask ? schema.node('taskItem', { checked: tasks[from + index] }, item.content) : item))
    lists.push(schema.node(isTask ? 'taskList' : 'bulletList', null, list))
    from = to
  }
  return lists
}

const alignOf = (token: Token | null): string | null =>
  /text-align:(left|center|right)/.exec(String(token?.attrGet('style')))?.[1] ?? null

const container = (name: string, children: readonly Node[]): Node => {
  const type = schema.nodes[name] ?? schema.topNodeType
  return type.create(null, fitContent(type, children))
}

/** The nodes that closing `token` makes of what stood inside. */
const closeBlock = (token: Token, { token: opened, children, tasks }: Open, blankHeader: boolean): Node[] => {
  switch (token.type) {
    case 'blockquote_close':
      return [container('blockquote', children)]
    case 'list_item_close':
      return [container('listItem', children)]
    case 'bullet_list_close':
      return makeLists(children, tasks)
    case 'ordered_list_close':
      return [schema.node('orderedList', { start: Number(opened?.attrGet('start') ?? 1) }, children)]
    case 'tr_close':
      return [schema.node('tableRow', null, children)]
    case 'th_close':
    case 'td_close': {
      const content = children.length > 0 ? children : [schema.node('paragraph')]
      return [schema.node(token.type === 'th_close' ? 'tableHeader' : 'tableCell', { align: alignOf(opened) }, content)]
    }
    case 'table_close':
      // GFM has no table without a header row: an entirely empty one stands for none.
      return [schema.node('table', null, blankHeader && children.length > 1 ? children.slice(1) : children)]
    default:
      return children
  }
}

const readInfo = (info: string): string | null =>
  getParser().utils.unescapeAll(info.trim().split(/\s+/)[0] ?? '') || null

const makeCode = (content: string, language: string | null): Node => {
  const text = content.replace(/\n$/, '')
  return schema.node('codeBlock', { language }, text ? schema.text(text) : [])
}

/**
 * A document from Markdown: CommonMark, with tables, strikethrough and task lists as on GitHub. Never fails: what is not
 * Markdown is text. HTML is text too, but for `<br>` (a line break) and `<!-- -->` (nothing).
 * What Markdown says and a document can't hold is listed in this package's README.
 */
export const fromMarkdown = (markdown: string): Node => {
  const root: Open = { token: null, children: [], tasks: [] }
  const open: Open[] = [root]
  let blankHeader = false
  for (const token of getParser().parse(markdown, {})) {
    const parent = open.at(-1) ?? root
    if (token.type === 'inline') {
      const inline = readInline(token.children ?? [])
      const isHeading = parent.token?.type === 'heading_open'
      if (token.content !== '' && parent.token?.type === 'th_open') blankHeader = false
      parent.children.push(
        ...splitAtImages(
          isHeading ? 'heading' : 'paragraph',
          isHeading ? { level: Number(parent.token?.tag.slice(1)) } : null,
          inline,
        ),
      )
    } else if (token.type === 'fence') parent.children.push(makeCode(token.content, readInfo(token.info)))
    else if (token.type === 'code_block') parent.children.push(makeCode(token.content, null))
    else if (token.type === 'hr') parent.children.push(schema.node('horizontalRule'))
    else if (token.nesting > 0) {
      if (token.type === 'table_open') blankHeader = true
      open.push({ token, children: [], tasks: [] })
    } else if (token.nesting < 0 && open.length > 1) {
      const closed = open.pop() as Open
      const outer = open.at(-1) ?? root
      outer.children.push(...closeBlock(token, closed, blankHeader))
      const checked = closed.token?.meta?.checked
      if (token.type === 'list_item_close') outer.tasks.push(typeof checked === 'boolean' ? checked : null)
    }
  }
  return schema.topNodeType.create(null, fitContent(schema.topNodeType, root.children))
}

/** The inline nodes that `markdown` gives within a block. */
export const parseInline = (markdown: string): Fragment =>
  Fragment.from(readInline(getParser().parseInline(markdown, {})[0]?.children ?? []))
