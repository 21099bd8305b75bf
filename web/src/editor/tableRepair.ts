import { type Editor, Extension } from '@tiptap/core'
import { Plugin, type Transaction } from '@tiptap/pm/state'
import { fixTables, fixTablesKey } from '@tiptap/pm/tables'

const wanted = 'weftTableRepair'

/**
 * Only lets tables be repaired when somebody asks for it.
 *
 * Two people add a row and a column at the same time: the merged table lacks cells. prosemirror-tables fills every table
 * after every change, in every window; so each adds the missing cells, together they are too many, each fills up the
 * other rows, and the table grows with every key. A table with a short row can be read and edited well enough.
 */
export const tableRepair = Extension.create({
  name: 'tableRepair',
  addProseMirrorPlugins: () => [noUnwantedRepairs()],
})

/** The plugin of `tableRepair`. */
export function noUnwantedRepairs(): Plugin {
  return new Plugin({
    filterTransaction: transaction =>
      transaction.getMeta(fixTablesKey) === undefined || transaction.getMeta(wanted) === true,
  })
}

/** A transaction that completes tables whose rows differ in length; `null` if there are none. */
export function tableRepairOf(state: Editor['state']): Transaction | null {
  return fixTables(state)?.setMeta(wanted, true) ?? null
}

/** Completes tables, before this person changes the rows or columns of one. */
export function repairTables(editor: Editor): void {
  const transaction = tableRepairOf(editor.state)
  if (transaction !== null) editor.view.dispatch(transaction)
}
