import { Extension, resolveFocusPosition } from '@tiptap/core'

/**
 * TipTap's `focus` command with the focus at once: TipTap's own waits for the next frame, and what is typed until then
 * goes nowhere. It waits because of React, which we don't use.
 */
export const immediateFocus = Extension.create({
  name: 'immediateFocus',
  addCommands: () => ({
    focus:
      (position = null, { scrollIntoView = true } = {}) =>
      ({ editor, view, tr, dispatch }) => {
        if (dispatch === undefined || position === false || editor.isDestroyed) return true
        if (position === null && view.hasFocus()) return true
        const selection = resolveFocusPosition(tr.doc, position)
        if (selection !== null && !selection.eq(tr.selection)) tr.setSelection(selection)
        view.focus()
        if (scrollIntoView) tr.scrollIntoView()
        return true
      },
  }),
})
