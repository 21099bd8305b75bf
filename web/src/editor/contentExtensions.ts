import { type AnyExtension, InputRule, type Mark, type Node } from '@tiptap/core'
import type { Node as ProseMirrorNode } from '@tiptap/pm/model'
import { extensions, isSafeLink } from '@weft/schema'
import { shownImages } from './shownImages.ts'

// A web address that was just typed, and the blank after it.
const typedUrl = /(?:^|[\s(])((?:https?:\/\/|www\.)[^\s<>"]{2,}[^\s<>"'.,;:!?)\]])\s$/

/**
 * TipTap's own autolink rewrites whatever changed, also what others wrote, and y-tiptap replaces the whole document at
 * each of their edits: so it is off, and an input rule links what is typed here.
 */
const typedLinks = (link: Mark): Mark =>
  link.configure({ autolink: false, linkOnPaste: true }).extend({
    addInputRules() {
      return [
        new InputRule({
          find: typedUrl,
          handler: ({ state, range, match, chain }) => {
            const url = match[1] ?? ''
            const href = url.startsWith('www.') ? `https://${url}` : url
            const to = range.to
            const from = to - url.length
            if (!isSafeLink(href) || from < range.from || state.selection.$from.parent.type.spec.code) return null
            if (state.doc.rangeHasMark(from, to, this.type)) return null
            chain()
              .command(({ tr }) => {
                tr.addMark(from, to, this.type.create({ href })).removeStoredMark(this.type).insertText(' ', to)
                return true
              })
              .run()
            return undefined
          },
        }),
      ]
    },
  })

/** TipTap's view of a table keeps widths of columns in step, which we don't offer; the schema's own form is enough. */
const plainTable = (table: Node): Node => table.extend({ addNodeView: () => null })

/**
 * Blocks on whose side something stands (a bullet, a number, a quote's bar): the side on which their text begins, right for Hebrew or
 * Arabic. Only drawn so, the document has no such attribute. Paragraphs and headings do the same by their style.
 */
const sided = new Set(['bulletList', 'orderedList', 'taskList', 'blockquote', 'table'])

/** A task's box has the name of the task: its first letter is the first of the list, too, by which its side is found. */
const checkboxLabel = ({ firstChild }: ProseMirrorNode) => firstChild?.textContent || 'Empty task'

/** The schema's nodes and marks as this editor edits them. */
export const contentExtensions: AnyExtension[] = extensions.map(extension => {
  if (sided.has(extension.name)) {
    const node = extension.name === 'table' ? plainTable(extension as Node) : (extension as Node)
    return node.configure({ HTMLAttributes: { dir: 'auto' } }) as AnyExtension
  }
  if (extension.name === 'taskItem') return (extension as Node).configure({ a11y: { checkboxLabel } }) as AnyExtension
  if (extension.name === 'link') return typedLinks(extension as Mark) as AnyExtension
  if (extension.name === 'image') return shownImages(extension as Node) as AnyExtension
  return extension
})
