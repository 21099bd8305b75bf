import { Fragment, Mark, type Node } from '@tiptap/pm/model'
import { pairable, pairChildren } from './replaceDocument.ts'
import { schema } from './schema.ts'
import { diffText } from './sequence.ts'
import { gridOf } from './toMarkdown.ts'

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

/** Stands for a line break in the text of a block; an object replacement character, as in other editors. */
const LEAF = '\ufffc'

const plain = (content: Fragment): string => content.textBetween(0, content.size, null, LEAF)

/** The inline nodes of a block, each a single UTF-16 unit or a line break. */
const units = (content: Fragment): Node[] =>
  content.content.flatMap(node =>
    node.isText ? (node.text ?? '').split('').map(unit => schema.text(unit, node.marks)) : [node],
  )

/** What was done to the marks of a character, done to those that it really has. */
const carryMarks = (exact: Node, said: Node, wanted: Node): readonly Mark[] => {
  if (Mark.sameSet(said.marks, wanted.marks)) return exact.marks
  return wanted.marks.map(mark => (mark.isInSet(said.marks) && mark.type.isInSet(exact.marks)) || mark)
}

const carryInline = (exact: Fragment, said: Fragment, wanted: Fragment): Fragment => {
  const text = plain(said)
  if (said.eq(wanted)) return exact
  // Where Markdown doesn't say the same text, no place of it is known.
  if (exact.eq(said) || plain(exact) !== text) return wanted
  const [exactUnits, saidUnits, wantedUnits] = [units(exact), units(said), units(wanted)]
  const content: Node[] = []
  let from = 0
  let to = 0
  const keep = (end: number) => {
    for (; from < end; from++, to++) {
      const [a, b, c] = [exactUnits[from], saidUnits[from], wantedUnits[to]]
      if (a && b && c) content.push(a.mark(carryMarks(a, b, c)))
    }
  }
  for (const { index, remove, insert } of diffText(text, plain(wanted))) {
    keep(index)
    from += remove
    content.push(...wantedUnits.slice(to, to + insert.length))
    to += insert.length
  }
  keep(exactUnits.length)
  return Fragment.fromArray(content)
}

/**
 * Brings a change that was made in Markdown to the block that it was made of: what Markdown can't say of it (widths, spans,
 * a link's `target` …) stays wherever the change is not.
 * @param exact the block as it is
 * @param said the block as Markdown says it
 * @param wanted what became of `said`
 */
export const keepUnsayable = (exact: Node, said: Node, wanted: Node): Node => {
  if (said.eq(wanted)) return exact
  if (exact.eq(said) || said.type !== wanted.type) return wanted
  const attrs = Object.fromEntries(
    Object.entries(wanted.attrs).map(([name, value]) => [
      name,
      isSame(value, said.attrs[name]) ? exact.attrs[name] : value,
    ]),
  )
  const content = carryContent(exact, said, wanted)
  // A header cell that Markdown could only say as a plain one stays a header cell.
  return exact.type.validContent(content) ? exact.type.create(attrs, content) : wanted
}

const isOfEqualShape = (a: Node, b: Node): boolean =>
  a.childCount === b.childCount && a.children.every((row, index) => row.childCount === b.child(index).childCount)

/** The rows of a table whose cells were changed. Null: rows or columns were, or what a wide cell covers. */
const carryRows = (exact: Node, said: Node, wanted: Node): Fragment | null => {
  if (exact.childCount !== said.childCount) return null
  if (isOfEqualShape(exact, said)) return carryChildren(exact, said, wanted)
  if (!isOfEqualShape(said, wanted)) return null
  const grid = gridOf(exact)
  const rows = exact.children.map((row, rowIndex) => {
    const [saidRow, wantedRow] = [said.child(rowIndex), wanted.child(rowIndex)]
    const cells: Node[] = []
    for (let column = 0; column < saidRow.childCount; column++) {
      const [saidCell, wantedCell] = [saidRow.child(column), wantedRow.child(column)]
      const cell = grid[rowIndex]?.[column]
      if (cell) cells.push(keepUnsayable(cell, saidCell, wantedCell))
      else if (!saidCell.eq(wantedCell)) return null
    }
    return row.copy(Fragment.fromArray(cells))
  })
  return rows.every(row => row !== null) ? Fragment.fromArray(rows) : null
}

const carryContent = (exact: Node, said: Node, wanted: Node): Fragment => {
  if (said.content.eq(wanted.content)) return exact.content
  if (exact.inlineContent) return carryInline(exact.content, said.content, wanted.content)
  if (exact.type.name === 'table') return carryRows(exact, said, wanted) ?? wanted.content
  return exact.childCount === said.childCount ? carryChildren(exact, said, wanted) : wanted.content
}

const carryChildren = (exact: Node, said: Node, wanted: Node): Fragment => {
  const origins = new Map(
    pairChildren(said.children.map(pairable), wanted.children.map(pairable)).map(({ pair: [from, to] }) => [to, from]),
  )
  return Fragment.fromArray(
    wanted.children.map((child, index) => {
      const from = origins.get(index)
      return from === undefined ? child : keepUnsayable(exact.child(from), said.child(from), child)
    }),
  )
}
