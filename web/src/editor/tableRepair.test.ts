import { EditorState, type Plugin } from '@tiptap/pm/state'
import { tableEditing } from '@tiptap/pm/tables'
import { fromJSON, schema } from '@weft/schema'
import { expect, it } from 'vitest'
import { noUnwantedRepairs, tableRepairOf } from './tableRepair.ts'

const cell = () => ({ type: 'tableCell', content: [{ type: 'paragraph' }] })
const row = (cells: number) => ({ type: 'tableRow', content: Array.from({ length: cells }, cell) })

/** What two people leave who add a row and a column at the same time. */
const ragged = () => fromJSON({ type: 'doc', content: [{ type: 'table', content: [row(3), row(2)] }] })

const rowLengths = (state: EditorState) => state.doc.child(0).children.map(({ childCount }) => childCount)

const typeInFirstCell = (plugins: Plugin[]) => {
  const state = EditorState.create({ schema, doc: ragged(), plugins })
  return state.apply(state.tr.insertText('x', 4))
}

it('leaves a ragged table as it is while people write in it', () => {
  const state = typeInFirstCell([tableEditing(), noUnwantedRepairs()])
  expect(state.doc.textContent).toBe('x')
  expect(rowLengths(state)).toEqual([3, 2])
})

it('would be filled in every window without that', () => {
  expect(rowLengths(typeInFirstCell([tableEditing()]))).toEqual([3, 3])
})

it('completes it when somebody asks for it', () => {
  const state = typeInFirstCell([tableEditing(), noUnwantedRepairs()])
  const repair = tableRepairOf(state)
  expect(repair).not.toBeNull()
  if (repair === null) return
  const repaired = state.apply(repair)
  expect(rowLengths(repaired)).toEqual([3, 3])
  expect(tableRepairOf(repaired)).toBeNull()
})
