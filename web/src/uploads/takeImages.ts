import { type Editor, Extension } from '@tiptap/core'
import { Plugin } from '@tiptap/pm/state'
import type { EditorView } from '@tiptap/pm/view'

/**
 * Takes files that are pasted or dropped for images to upload. What comes with text of its own is that text: tables of a
 * spreadsheet bring a picture of themselves along.
 */
export function takeImages(take: (files: File[], at: number, editor: Editor) => void): Extension {
  return Extension.create({
    name: 'takeImages',
    priority: 900,
    addProseMirrorPlugins() {
      const { editor } = this
      const handle = (event: Event, data: DataTransfer | null, at: number) => {
        const files = [...(data?.files ?? [])]
        if (files.length === 0 || !editor.isEditable || hasText(data?.getData('text/html') ?? '')) return false
        event.preventDefault()
        take(files, at, editor)
        return true
      }
      return [
        new Plugin({
          props: {
            handlePaste: (view: EditorView, event: ClipboardEvent) =>
              handle(event, event.clipboardData, view.state.selection.to),
            handleDrop: (view: EditorView, event: DragEvent) => {
              const at = view.posAtCoords({ left: event.clientX, top: event.clientY })?.pos ?? view.state.selection.to
              return handle(event, event.dataTransfer, at)
            },
          },
        }),
      ]
    },
  })
}

/** Whether HTML says something beside showing an image: what is copied from a page comes as its file and as its address. */
function hasText(html: string): boolean {
  return html.replace(/<!--.*?-->|<[^>]*>|\s|&nbsp;/gsu, '') !== '' || /<table[\s>]/iu.test(html)
}
