import { readFileSync } from 'node:fs'
import { Fragment, type Mark, type Node } from '@tiptap/pm/model'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { rounds } from '../../../test/rounds.ts'
import { arbitraryDocument, longTimeoutMs, seed, withUnsayable } from '../test/arbitraryDocument.ts'
import { fromMarkdown } from './fromMarkdown.ts'
import { schema } from './schema.ts'
import { toMarkdown } from './toMarkdown.ts'
import { isSafeImage } from './urls.ts'

/** What `withUnsayable` has put on a document, as Markdown says it. */
const withoutUnsayable = (node: Node): Node => {
  if (node.isText) {
    return node.mark(
      node.marks.map(mark =>
        mark.type.name === 'link' ? mark.type.create({ href: mark.attrs.href, title: mark.attrs.title }) : mark,
      ),
    )
  }
  const unsaid: Record<string, null> = { width: null, height: null, type: null, colwidth: null }
  const attrs = Object.fromEntries(
    Object.entries(node.attrs).map(([name, value]) => [name, name in unsaid ? null : value]),
  )
  const children = node.children.map(withoutUnsayable)
  if (node.type.name !== 'tableCell' || children.length === 1) return node.type.create(attrs, children, node.marks)
  const lines = children.flatMap((line, index) => [...(index > 0 ? [schema.node('hardBreak')] : []), ...line.children])
  return node.type.create(attrs, [schema.node('paragraph', null, lines)])
}

/** What Markdown can't say (the README's table), taken out of a document. */
const withoutLosses = (node: Node): Node => {
  if (node.type.name === 'image' && !isSafeImage(node.attrs.src))
    return schema.node('image', { ...node.attrs, src: null })
  if (node.isText || node.isLeaf) return node
  let children = node.children.map(withoutLosses)
  if (node.type.name === 'doc')
    while (children.length > 1 && children.at(-1)?.eq(schema.node('paragraph'))) children.pop()
  if (node.inlineContent && !node.type.spec.code) {
    children = children.map(child =>
      has(child, 'code') ? schema.text((child.text ?? '').replace(/[\r\n]/g, ' '), child.marks) : child,
    )
    for (const name of ['bold', 'italic', 'strike']) children = withoutMarkedBlanks(children, name)
  }
  return node.copy(Fragment.from(children))
}

const has = (node: Node | undefined, name: string) => node?.marks.some(mark => mark.type.name === name) === true

const withoutMarkedBlanks = (nodes: readonly Node[], name: string): Node[] => {
  const characters = nodes.flatMap(node =>
    node.isText ? [...(node.text ?? '')].map(character => schema.text(character, node.marks)) : [node],
  )
  const bare = (node: Node) => node.mark(node.marks.filter((mark: Mark) => mark.type.name !== name))
  const strip = (list: Node[]) => {
    let isAtEdge = true
    return list.map(node => {
      if (!has(node, name)) isAtEdge = true
      else if (isAtEdge && !has(node, 'code') && /^\s$/.test(node.text ?? '')) return bare(node)
      else isAtEdge = false
      return node
    })
  }
  return strip(strip(characters).reverse()).reverse()
}

const there = (markdown: string) => fromMarkdown(markdown).toString()
const roundTrip = (markdown: string) => toMarkdown(fromMarkdown(markdown))

describe('fromMarkdown and toMarkdown', () => {
  it(
    'give back any document, but for what Markdown cannot say',
    () => {
      fc.assert(
        fc.property(arbitraryDocument, doc => {
          const wanted = withoutLosses(doc)
          wanted.check()
          const markdown = toMarkdown(doc)
          const read = fromMarkdown(markdown)
          if (!read.eq(wanted)) {
            expect({ markdown, document: read.toJSON() }).toEqual({ markdown, document: wanted.toJSON() })
          }
          expect(toMarkdown(read)).toBe(markdown)
        }),
        { numRuns: rounds.markdownRoundTrips, ...seed },
      )
    },
    longTimeoutMs,
  )
})

describe('what Markdown cannot say', () => {
  it(
    'is all that gets lost of any document',
    () => {
      fc.assert(
        fc.property(arbitraryDocument, doc => {
          const whole = withUnsayable(doc)
          whole.check()
          const markdown = toMarkdown(whole)
          const document = withoutLosses(withoutUnsayable(whole)).toJSON()
          expect({ markdown, document: fromMarkdown(markdown).toJSON() }).toEqual({ markdown, document })
        }),
        { numRuns: rounds.documentPairs, ...seed },
      )
    },
    longTimeoutMs,
  )

  it('is looked for in every node and mark of the schema, with every attribute', () => {
    const seen = new Set<string>()
    const see = (type: string, attrs: object) => {
      seen.add(type)
      for (const [name, value] of Object.entries(attrs)) if (value !== null) seen.add(`${type}.${name}`)
    }
    for (const doc of fc.sample(arbitraryDocument, { numRuns: 500, seed: 1 })) {
      see('doc', {})
      withUnsayable(doc).descendants(node => {
        see(node.type.name, node.attrs)
        for (const mark of node.marks) see(mark.type.name, mark.attrs)
      })
    }
    const types = [...Object.values(schema.nodes), ...Object.values(schema.marks)]
    const wanted = types.flatMap(({ name, spec }) => [
      name,
      ...Object.keys(spec.attrs ?? {}).map(attr => `${name}.${attr}`),
    ])
    expect(wanted.filter(name => !seen.has(name))).toEqual([])
  })
})

it('a link of code at the start of a paragraph defines nothing', () => {
  const marks = [schema.mark('link', { href: 'https://a.b/c' }), schema.mark('code')]
  for (const text of [']:--a', ']: a', 'x]:y', ']:']) {
    const doc = schema.node('doc', null, [schema.node('paragraph', null, [schema.text(text, marks)])])
    expect(fromMarkdown(toMarkdown(doc)).toJSON(), text).toEqual(doc.toJSON())
  }
})

describe('fromMarkdown', () => {
  it('reads blocks', () => {
    expect(there('# a\n\nb\nc\n\n---\n\n> d\n\n```js x\ne\n```\n\n    f\n')).toBe(
      'doc(heading("a"), paragraph("b c"), horizontalRule, blockquote(paragraph("d")), codeBlock("e"), codeBlock("f"))',
    )
    expect(fromMarkdown('```js x\n```').firstChild?.attrs.language).toBe('js')
    expect(there('')).toBe('doc(paragraph)')
  })

  it('reads lists, splitting them where boxes begin or end', () => {
    expect(there('- a\n  - b\n\n    c\n- d\n')).toBe(
      'doc(bulletList(listItem(paragraph("a"), bulletList(listItem(paragraph("b"), paragraph("c")))), listItem(paragraph("d"))))',
    )
    const tasks = fromMarkdown('- a\n- [ ] b\n- [X] c\n  1. d\n- [x]\n')
    expect(tasks.toString()).toBe(
      'doc(bulletList(listItem(paragraph("a"))), taskList(taskItem(paragraph("b")), taskItem(paragraph("c"), orderedList(listItem(paragraph("d")))), taskItem(paragraph)))',
    )
    expect(tasks.child(1).children.map(item => item.attrs.checked)).toEqual([false, true, true])
    expect(fromMarkdown('7. a').firstChild?.attrs.start).toBe(7)
    expect(there('- # a')).toBe('doc(bulletList(listItem(paragraph, heading("a"))))')
  })

  it('reads tables, with alignment', () => {
    const table = fromMarkdown('| a | b |\n|:-:|--|\n| `c\\|d` | e<br>f |\n').firstChild
    expect(table?.toString()).toBe(
      'table(tableRow(tableHeader(paragraph("a")), tableHeader(paragraph("b"))), tableRow(tableCell(paragraph(code("c|d"))), tableCell(paragraph("e", hardBreak, "f"))))',
    )
    expect(table?.child(1).children.map(cell => cell.attrs.align)).toEqual(['center', null])
  })

  it('makes blocks of images', () => {
    expect(there('![a](b.png "c")')).toBe('doc(image)')
    expect(fromMarkdown('![*a*](b.png "c")').firstChild?.attrs).toMatchObject({ src: 'b.png', alt: 'a', title: 'c' })
    expect(there('text ![a](b) *more* ![c](d)')).toBe('doc(paragraph("text"), image, paragraph(italic("more")), image)')
    expect(there('# a ![b](c)')).toBe('doc(heading("a"), image)')
    expect(there('[![a](b)](c)')).toBe('doc(image)')
  })

  it('leaves HTML and unsafe addresses text', () => {
    expect(there('<b>a</b> <script>x</script>')).toBe('doc(paragraph("<b>a</b> <script>x</script>"))')
    expect(there('[a](javascript:b)')).toBe('doc(paragraph("[a](javascript:b)"))')
    expect(there('![a](mailto:b)')).toBe('doc(paragraph("a"))')
  })

  it('never fails', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom(
            '- ',
            '> ',
            '1. ',
            '\n',
            '    ',
            '|',
            '-',
            'a',
            '![a](b)',
            '[x] ',
            '`',
            '```',
            '*',
            '[',
            '](c)',
            '<br>',
            '# ',
          ),
          { maxLength: 30 },
        ),
        parts => {
          fromMarkdown(parts.join('')).check()
        },
      ),
      { numRuns: rounds.markdownRoundTrips, ...seed },
    )
    fromMarkdown(`${'> '.repeat(2000)}a`).check()
  })
})

describe('toMarkdown', () => {
  it.each([
    ['# A heading\n\nSome *text*, **bold**, ~~gone~~ and `code`.\n'],
    ['- one\n- two\n  - nested\n    1. deep\n- three\n'],
    ['- [ ] open\n- [x] done\n'],
    ['1. one\n2. two\n'],
    ['- loose\n\n  with two\n\n- items\n'],
    ['> quoted\n>\n> - list\n'],
    ['```js\nconst a = `b`\n```\n'],
    ['````\n```\n````\n'],
    ['| a | b |\n| :-- | --: |\n| c | d |\n'],
    ['![alt](image.png "title")\n'],
    ['[link](https://a.b "t") and <https://a.b/c>\n'],
    ['[**`code` in a link**](x) and ***both***\n'],
    ['snake_case and 2 * 3 and a\\*b\n'],
    ['line\\\nbreak\n'],
    ['1\\. not a list\n'],
    ['\\# not a heading\n'],
    ['# 1. Introduction to C#\n'],
    ['AT&T and \\&copy;\n'],
    ['- a\n\n+ b\n'],
    ['<!-- -->\n\ntext\n'],
    ['|  |\n| --- |\n| no header |\n'],
  ])('writes what a person would: %j', markdown => {
    expect(roundTrip(markdown)).toBe(markdown)
  })

  it('sets delimiters apart only where they would not count', () => {
    const bold = (text: string) => schema.text(text, [schema.mark('bold')])
    const p = (...content: Node[]) => toMarkdown(schema.node('paragraph', null, content))
    expect(p(bold('a '), schema.text('b'))).toBe('**a** b\n')
    expect(p(bold('a'), schema.text('b'))).toBe('**a**b\n')
    expect(p(bold('a.'), schema.text('b'))).toBe('**a.**<!-- -->b\n')
    expect(p(bold('a'), schema.text('b'), bold('c.'), schema.text('d'), bold('e'))).toBe('**a**b**c.**<!-- -->d**e**\n')
  })

  it('takes an asterisk between blanks for text, and escapes it where one of them is written as an entity', () => {
    const p = (...content: Node[]) => schema.node('doc', null, [schema.node('paragraph', null, content)])
    const starred = schema.text('*', [schema.mark('italic')])
    const kept = p(schema.text('mid * '), schema.node('hardBreak'), starred, schema.text(' * '))
    const markdown = toMarkdown(kept)
    expect(markdown).toBe('mid \\*&#32;\\\n*\\** \\*&#32;\n')
    expect(fromMarkdown(markdown).eq(kept)).toBe(true)
  })

  it('flattens what tables of Markdown cannot hold', () => {
    const cell = (attrs: object, ...content: Node[]) =>
      schema.node('tableCell', attrs as Record<string, unknown>, content)
    const p = (text: string) => schema.node('paragraph', null, schema.text(text))
    const row = (...cells: Node[]) => schema.node('tableRow', null, cells)
    const list = schema.node('bulletList', null, [
      schema.node('listItem', null, [p('x')]),
      schema.node('listItem', null, [p('y')]),
    ])
    const table = schema.node('table', null, [
      row(cell({ colspan: 2 }, p('wide')), cell({ rowspan: 2 }, p('tall'))),
      row(cell({}, p('a'), p('b')), cell({}, list)),
    ])
    expect(toMarkdown(table)).toBe('|  |  |  |\n| --- | --- | --- |\n| wide |  | tall |\n| a<br>b | x<br>y |  |\n')
  })
})

describe('a README', () => {
  const markdown = readFileSync(new URL('../test/readme.md', import.meta.url), 'utf8')
  const doc = fromMarkdown(markdown)
  const find = (predicate: (node: Node) => boolean): Node[] => {
    const found: Node[] = []
    doc.descendants(node => {
      if (predicate(node)) found.push(node)
    })
    return found
  }

  it('is read as what it says', () => {
    doc.check()
    expect(
      find(({ type }) => type.name === 'heading').map(({ attrs, textContent }) => [attrs.level, textContent]),
    ).toEqual([
      [1, 'Widget'],
      [2, 'Install'],
      [2, 'Options'],
      [3, 'To do'],
      [2, 'Setext heading'],
    ])
    expect(find(({ type }) => type.name === 'image').map(({ attrs }) => attrs.alt)).toEqual([
      'build',
      'npm',
      'A screenshot',
    ])
    expect(
      find(({ type }) => type.spec.code === true).map(({ attrs, textContent }) => [attrs.language, textContent]),
    ).toEqual([
      ['sh', 'npm install widget   # or: pnpm add widget'],
      ['js', "import { widget } from 'widget'\n\nexport default widget({ path: './*.md', when: x => x < 3 && x > 1 })"],
      [null, 'indented code\n  keeps    its spaces'],
    ])
    const [table] = find(({ type }) => type.name === 'table')
    expect(table?.children.map(row => row.children.map(({ textContent }) => textContent))).toEqual([
      ['Option', 'Type', 'Default', 'Meaning'],
      ['path', 'string', "'.'", 'where to look; a|b means either'],
      ['max_depth', 'number', '10', 'levels'],
      ['watch', 'boolean', '', 'runsforever'],
    ])
    expect(table?.child(1).children.map(({ attrs }) => attrs.align)).toEqual([null, 'center', 'right', null])
    expect(find(({ type }) => type.name === 'taskItem').map(({ attrs }) => attrs.checked)).toEqual([
      true,
      false,
      false,
      true,
      false,
    ])
    expect(
      find(({ isText, marks }) => isText && marks.length === 2).map(({ text, marks }) => [text, marks[0]?.attrs.href]),
    ).toEqual([['widget.config.ts', './docs/config.md#widget_config']])
    expect(find(({ text }) => text?.startsWith('Escapes') === true)[0]?.text).toBe(
      'Escapes: *not italic*, 1. not a list, AT&T, © 2026, a <b>, C:\\path, $100, #5, ^[1], [not a link]. Two spaces make a',
    )
    expect(find(({ text }) => text?.includes('<kbd>') === true)).toHaveLength(1)
  })

  it('comes back as the same document, from then on as the same text', () => {
    const written = toMarkdown(doc)
    expect(fromMarkdown(written).toJSON()).toEqual(doc.toJSON())
    expect(toMarkdown(fromMarkdown(written))).toBe(written)
    expect(written).toMatchSnapshot()
  })
})
