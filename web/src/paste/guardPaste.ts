import { Extension } from '@tiptap/core'
import { DOMParser, type ParseOptions, type Slice } from '@tiptap/pm/model'
import { Plugin } from '@tiptap/pm/state'
import type { EditorView } from '@tiptap/pm/view'
import { cleanHTML, htmlExcess, textExcess } from './cleanHTML.ts'
import { applyStyles } from './quietHTML.ts'

/**
 * Stands before everything that comes from a clipboard or is dropped: HTML is cleaned, then read by the schema, which knows no
 * raw HTML; and more than is taken in at once is refused as a whole, with the reason. The text and the clipboard stay as they are.
 * @param refuse says why, and that nothing is lost
 */
export function guardPaste(refuse: (why: string) => void): Extension {
  const tooMuch = (data: DataTransfer | null): string | null => {
    if (data === null) return null
    const html = data.getData('text/html')
    return html === '' ? textExcess(data.getData('text/plain')) : htmlExcess(html)
  }
  const stop = (event: Event, data: DataTransfer | null): boolean => {
    const why = tooMuch(data)
    if (why === null) return false
    event.preventDefault()
    refuse(why)
    return true
  }
  return Extension.create({
    name: 'guardPaste',
    // Before the plugins that take something in.
    priority: 1000,
    addProseMirrorPlugins() {
      const { rules } = DOMParser.fromSchema(this.editor.schema)
      const clipboardParser = new StyledParser(this.editor.schema, rules)
      const props = {
        clipboardParser,
        handleDOMEvents: {
          paste: (_view: EditorView, event: ClipboardEvent) => stop(event, event.clipboardData),
          drop: (_view: EditorView, event: DragEvent) => stop(event, event.dataTransfer),
        },
        transformPastedHTML: cleanHTML,
      }
      return [new Plugin({ props })]
    },
  })
}

/** Reads what was cleaned; what an element's style says (bold, aligned) counts. */
class StyledParser extends DOMParser {
  override parseSlice(dom: Node, options?: ParseOptions): Slice {
    applyStyles(dom as Element)
    return super.parseSlice(dom, options)
  }
}
