import { type AnyExtension, type Attribute, mergeAttributes } from '@tiptap/core'
import { Blockquote } from '@tiptap/extension-blockquote'
import { Bold } from '@tiptap/extension-bold'
import { Code } from '@tiptap/extension-code'
import { CodeBlock } from '@tiptap/extension-code-block'
import { Document } from '@tiptap/extension-document'
import { HardBreak } from '@tiptap/extension-hard-break'
import { Heading } from '@tiptap/extension-heading'
import { HorizontalRule } from '@tiptap/extension-horizontal-rule'
import { Image } from '@tiptap/extension-image'
import { Italic } from '@tiptap/extension-italic'
import { Link } from '@tiptap/extension-link'
import { BulletList, ListItem, OrderedList, TaskItem, TaskList } from '@tiptap/extension-list'
import { Paragraph } from '@tiptap/extension-paragraph'
import { Strike } from '@tiptap/extension-strike'
import { Table, TableCell, TableHeader, TableRow } from '@tiptap/extension-table'
import { Text } from '@tiptap/extension-text'
import { isSafeImage, isSafeLink } from './urls.ts'

type Attributes = Record<string, Attribute>

/** The attributes of TipTap's extension (`parent`) with some of them changed. */
const changeAttributes = (parent: Attributes | undefined, changed: Attributes): Attributes => {
  const attributes = { ...parent }
  for (const [name, attribute] of Object.entries(changed)) attributes[name] = { ...attributes[name], ...attribute }
  return attributes
}

const alignments: readonly unknown[] = ['left', 'center', 'right']

const cellAttributes = (parent: Attributes | undefined) =>
  changeAttributes(parent, {
    align: { renderHTML: ({ align }) => (alignments.includes(align) ? { style: `text-align: ${align}` } : {}) },
  })

const heading = Heading.extend({
  parseHTML: () => [1, 2, 3, 4, 5, 6].map(level => ({ tag: `h${level}`, attrs: { level } })),
  renderHTML: ({ node, HTMLAttributes }) => [
    `h${Math.min(Math.max(Number(node.attrs.level) || 1, 1), 6)}`,
    HTMLAttributes,
    0,
  ],
}).configure({ levels: [1, 2, 3, 4] })

const image = Image.extend({
  renderHTML({ HTMLAttributes: { src, ...rest } }) {
    return ['img', mergeAttributes(this.options.HTMLAttributes, isSafeImage(src) ? { src, ...rest } : rest)]
  },
})

// What TipTap renders beside the rows (a colgroup of minimal widths) belongs to resizing columns, which we don't offer.
const table = Table.extend({
  renderHTML({ HTMLAttributes }) {
    return ['table', mergeAttributes(this.options.HTMLAttributes, HTMLAttributes), ['tbody', 0]]
  },
}).configure({ resizable: false })

const tableCell = TableCell.extend({
  addAttributes() {
    return cellAttributes(this.parent?.())
  },
})

const tableHeader = TableHeader.extend({
  addAttributes() {
    return cellAttributes(this.parent?.())
  },
})

// TipTap's inline code excludes every other mark. READMEs are full of [`links to code`](…), and two people can make the
// same words bold and code at the same time: neither may be lost.
const code = Code.extend({ excludes: 'code' })

const link = Link.extend({
  inclusive: false,
  // TipTap's attributes are all known, so that links which its own editors made keep them. Only href and title are
  // rendered: a writer must not choose the class, target or rel of a link in somebody else's page.
  addAttributes() {
    const kept: Attribute = { default: null, rendered: false, parseHTML: () => null }
    return changeAttributes(this.parent?.(), { target: kept, rel: kept, class: kept })
  },
  renderHTML({ HTMLAttributes: { href, ...rest } }) {
    const fixed = { target: '_blank', rel: 'noopener noreferrer nofollow' }
    return ['a', mergeAttributes(rest, fixed, isSafeLink(href) ? { href } : {}), 0]
  },
}).configure({
  openOnClick: false,
  HTMLAttributes: { target: null, rel: null, class: null },
  isAllowedUri: url => isSafeLink(url),
})

/**
 * The nodes and marks of a Weft document, as TipTap extensions: what is in the document, not how it is edited together.
 * Names and attributes are TipTap's, so that documents of other TipTap editors fit.
 * Headings: 1 to 4 are offered, 5 and 6 are kept.
 */
export const extensions: AnyExtension[] = [
  Document,
  Paragraph,
  Text,
  heading,
  Blockquote,
  CodeBlock,
  HorizontalRule,
  HardBreak,
  image,
  BulletList,
  OrderedList,
  ListItem,
  TaskList,
  TaskItem.configure({ nested: true }),
  table,
  TableRow,
  tableHeader,
  tableCell,
  Bold,
  Italic,
  Strike,
  code,
  link,
]
