// The text of the document: TipTap's editor with Weft's schema, and the carets of the others.

import { Editor, Extension } from '@tiptap/core'
import { Collaboration } from '@tiptap/extension-collaboration'
import { yCursorPlugin, ySyncPluginKey } from '@tiptap/y-tiptap'
import { extensions, FRAGMENT_NAME } from '@weft/schema'

export function showText(doc, element) {
  const editor = new Editor({
    element,
    extensions: [
      ...extensions,
      Collaboration.configure({ document: doc.ydoc, field: FRAGMENT_NAME }),
      carets(doc.awareness),
    ],
    // The page's own style sheet has what the editor needs: a style of its own is what the content security policy forbids.
    injectCSS: false,
    editorProps: { attributes: { 'aria-label': 'Text', 'data-testid': 'text' } },
  })
  // The browser tells of a click a moment later. What others write in between would set the caret back: look first.
  const { binding } = ySyncPluginKey.getState(editor.state)
  doc.ydoc.on('beforeTransaction', ({ local }) => {
    const { domObserver, composing } = editor.view
    if (local || composing || domObserver.pendingRecords().length > 0) return
    binding.mux(() => domObserver.flush())
    binding.beforeTransactionSelection = null
    binding.beforeAllTransactions()
  })
}

function carets(awareness) {
  const drawn = user => ({
    name: String(user?.name ?? ''),
    color: /^#[\da-f]{6}$/i.test(user?.color) ? user.color : '#6f6d66',
  })
  return Extension.create({
    name: 'carets',
    addProseMirrorPlugins: () => [
      yCursorPlugin(awareness, {
        cursorBuilder(user) {
          const { name, color } = drawn(user)
          const caret = document.createElement('span')
          caret.className = 'caret'
          caret.dataset.name = name
          caret.style.setProperty('--person', color)
          return caret
        },
        selectionBuilder: user => ({ style: `background-color: ${drawn(user).color}33` }),
      }),
    ],
  })
}
