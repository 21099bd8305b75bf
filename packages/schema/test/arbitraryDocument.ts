import type { Mark, Node } from '@tiptap/pm/model'
import fc from 'fast-check'
import { schema } from '../src/schema.ts'

/** Text that Markdown would read as something else, beside words. */
const nasty = [
  '*',
  '**',
  '_',
  '__',
  '`',
  '``',
  '~',
  '~~',
  '#',
  '# ',
  '- ',
  '+ ',
  '1. ',
  '2) ',
  '> ',
  '>',
  '|',
  '\\',
  '[',
  ']',
  '[ ] ',
  '[x] ',
  '![',
  '](',
  ')',
  '(',
  '<',
  '<b>',
  '</b>',
  '<br>',
  '<!-- -->',
  '<https://a.b>',
  '&amp;',
  '&',
  '&#32;',
  '---',
  '===',
  '```',
  '~~~',
  ' ',
  '  ',
  '\t',
  '\n',
  '\u00a0',
  '!',
  ':',
  ':--',
  '|-|',
  'http://a.b/c_d_e',
  'snake_case_word',
  '2 * 3 * 4',
  'a*b',
  '"',
  "'",
  '“',
  '。',
  '中',
  'ß',
  '😀',
  'e\u0301',
  '[a]: b',
  '[^1]',
  '$',
  '{',
  '}',
  '%',
  '@',
  '^',
  '=',
  '-',
  '+',
  '.',
  '1',
  '\u2028',
  '\ufeff',
  '\u200b',
  '\u3000',
  '\f',
]

const words = ['a', 'b', 'word', 'Two words', 'x1', 'end.', 'Ä', ' mid ', ', ']

const textContent = fc
  .array(
    fc.oneof({ weight: 2, arbitrary: fc.constantFrom(...words) }, { weight: 3, arbitrary: fc.constantFrom(...nasty) }),
    { minLength: 1, maxLength: 5 },
  )
  .map(parts => parts.join(''))

const url = fc.constantFrom(
  'https://a.b/c',
  'x',
  '/a b',
  'a(b)c',
  'a)b',
  '#x',
  'a?b=c&d=e',
  'mailto:a@b.c',
  'a_b*c',
  'ä/😀',
  'x<y>',
  'a\\b',
  'a"b',
  "a'b",
  '%20',
  '&amp;',
)
const title = fc.constantFrom(null, 'title', 'a "quoted" one', "a 'b'", '(c)', 'a\\', '*x*', '&amp;', '<')

const marks: fc.Arbitrary<readonly Mark[]> = fc
  .record({
    names: fc.subarray(['bold', 'italic', 'strike', 'code'] as const),
    link: fc.option(fc.record({ href: url, title }), { freq: 5 }),
  })
  .map(({ names, link }) => {
    let set = [...names].reduce<readonly Mark[]>((marks, name) => schema.mark(name).addToSet(marks), [])
    if (link) set = schema.mark('link', link).addToSet(set)
    return set
  })

const plainMarks = fc.constant<readonly Mark[]>([])

const text = fc
  .tuple(textContent, fc.oneof({ weight: 2, arbitrary: plainMarks }, { weight: 2, arbitrary: marks }))
  .map(([content, marks]) => schema.text(content, marks))

const inline = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: text },
    { weight: 1, arbitrary: fc.constant(null).map(() => schema.node('hardBreak')) },
  ),
  {
    maxLength: 6,
  },
)

const paragraph = inline.map(content => schema.node('paragraph', null, content))
const heading = fc
  .tuple(fc.integer({ min: 1, max: 6 }), inline)
  .map(([level, content]) => schema.node('heading', { level }, content))
const codeBlock = fc
  .tuple(fc.constantFrom(null, 'js', 'c++', 'objective-c', 'a`b', '~', '&amp;', 'a\\b'), fc.option(textContent))
  .map(([language, content]) => schema.node('codeBlock', { language }, content ? schema.text(content) : []))
const image = fc
  .record({ src: url, alt: fc.constantFrom(null, 'alt', 'a [b] *c*', '<br>', 'a\\', '  x '), title })
  .map(attrs => schema.node('image', attrs))
const rule = fc.constant(null).map(() => schema.node('horizontalRule'))

const table = fc
  .tuple(
    fc.boolean(),
    fc.integer({ min: 1, max: 3 }),
    fc.integer({ min: 1, max: 3 }),
    fc.array(fc.constantFrom(null, 'left', 'center', 'right'), { minLength: 3, maxLength: 3 }),
    fc.array(inline, { minLength: 9, maxLength: 9 }),
  )
  .map(([hasHeader, rows, columns, aligns, contents]) => {
    const range = (length: number) => Array.from({ length }, (_, index) => index)
    return schema.node(
      'table',
      null,
      range(rows).map(row =>
        schema.node(
          'tableRow',
          null,
          range(columns).map(column =>
            schema.node(
              hasHeader && row === 0 ? 'tableHeader' : 'tableCell',
              { align: aligns[column] ?? null },
              schema.node('paragraph', null, contents[row * 3 + column] ?? []),
            ),
          ),
        ),
      ),
    )
  })

const { block } = fc.letrec<{ block: Node; item: Node[] }>(tie => {
  const item = fc.tuple(paragraph, fc.array(tie('block'), { maxLength: 2 })).map(([first, rest]) => [first, ...rest])
  const items = fc.array(item, { minLength: 1, maxLength: 3 })
  return {
    item,
    block: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      paragraph,
      heading,
      codeBlock,
      image,
      rule,
      table,
      fc.array(tie('block'), { minLength: 1, maxLength: 3 }).map(blocks => schema.node('blockquote', null, blocks)),
      items.map(items =>
        schema.node(
          'bulletList',
          null,
          items.map(blocks => schema.node('listItem', null, blocks)),
        ),
      ),
      fc.tuple(items, fc.constantFrom(1, 1, 0, 7, 123456789)).map(([items, start]) =>
        schema.node(
          'orderedList',
          { start },
          items.map(blocks => schema.node('listItem', null, blocks)),
        ),
      ),
      fc.tuple(items, fc.boolean()).map(([items, checked]) =>
        schema.node(
          'taskList',
          null,
          items.map(blocks => schema.node('taskItem', { checked }, blocks)),
        ),
      ),
    ),
  }
})

/** Documents of the whole schema as Markdown can hold it: spans, cells of several blocks and the like are not among them. */
export const arbitraryDocument: fc.Arbitrary<Node> = fc
  .array(block, { minLength: 1, maxLength: 5 })
  .map(blocks => schema.node('doc', null, blocks))

/** One block of such a document. */
export const arbitraryBlock: fc.Arbitrary<Node> = block

/** A block with something that Markdown can't say (the README's table) wherever it can be. */
export const withUnsayable = (node: Node): Node => {
  if (node.isText) {
    return node.mark(
      node.marks.map(mark =>
        mark.type.name === 'link' ? mark.type.create({ ...mark.attrs, target: '_top', rel: 'me', class: 'c' }) : mark,
      ),
    )
  }
  const { name } = node.type
  const attrs: Record<string, unknown> = { ...node.attrs }
  if (name === 'image') Object.assign(attrs, { width: 120, height: '80' })
  if (name === 'orderedList') attrs.type = 'a'
  if (name === 'tableCell' || name === 'tableHeader') attrs.colwidth = [40]
  const children = node.children.map(withUnsayable)
  if (name === 'tableCell') children.push(schema.node('paragraph', null, [schema.text('second')]))
  return node.type.create(attrs, children, node.marks)
}

/** `WEFT_TEST_SEED` repeats a run; fast-check prints the seed of a failed one. */
export const seed = process.env.WEFT_TEST_SEED ? { seed: Number(process.env.WEFT_TEST_SEED) } : {}

/** For the long counts of `rounds`: up to some minutes on two busy cores. */
export const longTimeoutMs = 900_000
