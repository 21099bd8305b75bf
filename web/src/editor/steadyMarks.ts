import { Extension } from '@tiptap/core'
import { Plugin } from '@tiptap/pm/state'
import { ySyncPluginKey } from '@tiptap/y-tiptap'

/**
 * What this person chose for the next letters (bold on, or off after `**bold**`) outlives the edits of others. ProseMirror
 * keeps it in the state's stored marks, which end with any transaction that changes the document.
 */
export const steadyMarks = Extension.create({
  name: 'steadyMarks',
  addProseMirrorPlugins: () => [
    new Plugin({
      appendTransaction: (transactions, before, after) => {
        if (before.storedMarks === null || after.storedMarks !== null || !after.selection.empty) return null
        const areOfOthers = transactions.every(transaction => {
          const change = transaction.getMeta(ySyncPluginKey)
          return !transaction.docChanged || (change?.isChangeOrigin && !change.isUndoRedoOperation)
        })
        return areOfOthers ? after.tr.setStoredMarks(before.storedMarks) : null
      },
    }),
  ],
})
