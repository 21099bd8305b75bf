/** Largest colspan and rowspan of a cell: the HTML standard's bound for colspan. Tables are laid out in loops over them. */
export const maxCellSpan = 1000

type Check = (value: unknown) => string | null

const integerWithin =
  (min: number, max: number): Check =>
  value =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? null
      : `an integer from ${min} to ${max}`

const oneOf =
  (...allowed: unknown[]): Check =>
  value =>
    allowed.includes(value) ? null : `one of ${JSON.stringify(allowed)}`

const typed =
  (...types: string[]): Check =>
  value =>
    types.includes(value === null ? 'null' : typeof value) ? null : types.join(' or ')

const widths: Check = value =>
  value === null || (Array.isArray(value) && value.every(width => Number.isFinite(width) && width >= 0))
    ? null
    : 'widths in pixels, or null'

const text = typed('string', 'null')
const size = typed('string', 'number', 'null')
const span = integerWithin(1, maxCellSpan)
const cell = { colspan: span, rowspan: span, colwidth: widths, align: oneOf(null, 'left', 'center', 'right') }

const checks: Record<string, Record<string, Check>> = {
  heading: { level: integerWithin(1, 6) },
  codeBlock: { language: text },
  orderedList: { start: integerWithin(-0x80000000, 0x7fffffff), type: text },
  taskItem: { checked: typed('boolean') },
  image: { src: text, alt: text, title: text, width: size, height: size },
  tableCell: cell,
  tableHeader: cell,
  link: { href: text, title: text, target: text, rel: text, class: text },
}

/**
 * Whether `value` may be the attribute `name` of a node or mark called `typeName`.
 *
 * These checks are not the schema's own (`validate`): ProseMirror runs those whenever it makes a node, so that a pasted
 * table with a mad colspan would throw in the editor, and y-tiptap would delete the element that carries it.
 * @returns null, or what is wrong with it.
 */
export const checkAttribute = (typeName: string, name: string, value: unknown): string | null => {
  const expected = Object.hasOwn(checks, typeName) ? checks[typeName]?.[name]?.(value) : null
  return expected ? `${typeName}.${name} must be ${expected}, not ${JSON.stringify(value)?.slice(0, 100)}` : null
}
