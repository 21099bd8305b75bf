import { yXmlFragmentToProseMirrorRootNode } from '@tiptap/y-tiptap'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { rounds } from '../../../test/rounds.ts'
import { arbitraryBlock, arbitraryDocument, longTimeoutMs, seed } from '../test/arbitraryDocument.ts'
import {
  br,
  childOf,
  copy,
  doc,
  docOf,
  exchange,
  expectEqual,
  h,
  htmlOf,
  open,
  p,
  text,
  updatesDuring,
} from '../test/replicas.ts'
import { EditError } from './EditError.ts'
import { append, insertAfterHeading, replaceText } from './edit.ts'
import { readNode } from './findUnknown.ts'
import { repair, replaceDocument } from './replaceDocument.ts'
import { schema } from './schema.ts'
import { textOf } from './textOf.ts'

describe('half a character, of a text that was cut', () => {
  const half = '\ud83d'

  it('is written as others get it', () => {
    const fragment = open(p('😀 one'))
    append(fragment, p(`two${half}`))
    replaceText(fragment, 'one', `1${half}`)
    const other = copy(fragment)
    expect(textOf(fragment)).toBe('😀 1\ufffd\ntwo\ufffd')
    expect(htmlOf(fragment)).toBe(htmlOf(other))
    const link = schema.mark('link', { href: `https://example.org/${half}` })
    const image = schema.node('image', { src: 'https://example.org/a.png', alt: half })
    replaceDocument(fragment, doc(p('😁 ', schema.text(`three${half}`, [link])), image))
    exchange(fragment, other)
    expect(htmlOf(fragment)).toBe(htmlOf(other))
    expect(textOf(other)).toContain('😁 three\ufffd')
  })
})

describe('replaceDocument', () => {
  it('makes no update if nothing differs, also where attributes are left to their defaults', () => {
    const fragment = open(
      h('a'),
      p('b', text('c', 'bold'), br(), 'd'),
      schema.node('image', { src: 'x' }),
      schema.node('paragraph'),
    )
    expect(updatesDuring(fragment, () => replaceDocument(fragment, readNode(fragment)))).toEqual([])
    const bare = open()
    const heading = new Y.XmlElement('heading')
    heading.insert(0, [new Y.XmlText()])
    bare.insert(0, [heading])
    expect(updatesDuring(bare, () => replaceDocument(bare, readNode(bare)))).toEqual([])
  })

  it('makes no update of an empty fragment that shall be empty', () => {
    const fragment = open()
    expect(updatesDuring(fragment, () => replaceDocument(fragment, doc(p())))).toEqual([])
    expect(fragment.length).toBe(0)
  })

  it('makes one update otherwise, with the origin', () => {
    const fragment = open(p('a'), p('b'))
    const origins: unknown[] = []
    docOf(fragment).on('update', (_update: Uint8Array, origin: unknown) => origins.push(origin))
    const origin = { bot: 'b' }
    replaceDocument(fragment, doc(h('x'), p('a!'), p('c')), origin)
    expect(origins).toEqual([origin])
    expect(htmlOf(fragment)).toBe('<h1>x</h1><p>a!</p><p>c</p>')
  })

  it('keeps blocks that are equal when others are put between, changed and deleted', () => {
    const fragment = open(h('title'), p('one'), p('two'), p('three'), p('four'))
    const before = fragment.toArray()
    replaceDocument(fragment, doc(h('title'), p('new'), p('one'), p('two and more'), p('four'), p('end')))
    const after = fragment.toArray()
    expect([after[0], after[2], after[3], after[4]]).toEqual([before[0], before[1], before[2], before[4]])
    expect(after[0] === before[0] && after[2] === before[1] && after[3] === before[2] && after[4] === before[4]).toBe(
      true,
    )
  })

  it('changes only the words that differ', () => {
    const fragment = open(p('The quick brown fox jumps over the lazy dog'))
    const line = childOf(fragment, 0, 0)
    const caret = Y.createRelativePositionFromTypeIndex(line, 'The quick brown fo'.length)
    const deltas: { insert?: unknown; delete?: number | undefined }[] = []
    line.observe(event => deltas.push(...event.delta))
    replaceDocument(fragment, doc(p('A quick brown fox leaps over the lazy cat')))
    expect(deltas.flatMap(({ insert }) => insert ?? [])).toEqual(['A', 'lea', 'cat'])
    expect(deltas.flatMap(change => change.delete ?? [])).toEqual([3, 3, 3])
    expect(Y.createAbsolutePositionFromRelativePosition(caret, docOf(fragment))?.index).toBe('A quick brown fo'.length)
  })

  it('changes formatting without touching the text', () => {
    const fragment = open(p('one two three'))
    const deltas: object[] = []
    childOf(fragment, 0, 0).observe(event => deltas.push(...event.delta))
    const wanted = [doc(p('one ', text('two', 'bold'), ' three')), doc(p('one two three'))]
    for (const node of wanted) {
      replaceDocument(fragment, node)
      expect(readNode(fragment).eq(node)).toBe(true)
    }
    expect(deltas.every(change => 'retain' in change)).toBe(true)
  })

  it('changes a link in place', () => {
    const linked = (href: string) => doc(p('a ', schema.text('link', [schema.mark('link', { href })])))
    const fragment = open()
    replaceDocument(fragment, linked('x'))
    const line = childOf(fragment, 0, 0)
    replaceDocument(fragment, linked('y'))
    expect(childOf(fragment, 0, 0) === line).toBe(true)
    expect(readNode(fragment).eq(linked('y'))).toBe(true)
  })

  it('lets what others write at the same time survive', () => {
    const mine = open(h('Plan'), p('We start on Monday.'), p('Then we rest.'), p('The end.'))
    const theirs = copy(mine)
    replaceDocument(
      mine,
      doc(h('The plan'), p('An introduction.'), p('We begin on Monday.'), p('Then we rest.'), p('The very end.')),
    )
    childOf(theirs, 1, 0).insert('We start on Monday'.length, ' morning')
    childOf(theirs, 2, 0).insert(0, 'First: ')
    childOf(theirs, 3, 0).format(0, 3, { bold: {} })
    exchange(mine, theirs)
    expect(htmlOf(mine)).toBe(
      '<h1>The plan</h1><p>An introduction.</p><p>We begin on Monday morning.</p><p>First: Then we rest.</p><p><strong>The</strong> very end.</p>',
    )
  })

  it('lets what others write into a text that is emptied survive', () => {
    const mine = open(p('old'))
    const theirs = copy(mine)
    replaceDocument(mine, doc(p()))
    childOf(theirs, 0, 0).insert(3, ' new')
    exchange(mine, theirs)
    expect(textOf(mine)).toBe(' new')
  })

  it('is undone as one step, without what others did', () => {
    const mine = open(h('a'), p('one'), p('two'))
    const theirs = copy(mine)
    const origin = { bot: 1 }
    const undo = new Y.UndoManager(mine, { trackedOrigins: new Set([origin]) })
    replaceDocument(mine, doc(h('b'), p('zero'), p('one and a half')), origin)
    childOf(theirs, 1, 0).insert(3, '!')
    exchange(mine, theirs)
    undo.undo()
    expect(htmlOf(mine)).toBe('<h1>a</h1><p>one!</p><p>two</p>')
  })

  it('changes within lists and tables', () => {
    const item = (...blocks: ReturnType<typeof p>[]) => schema.node('listItem', null, blocks)
    const list = (...items: ReturnType<typeof item>[]) => schema.node('bulletList', null, items)
    const row = (...cells: string[]) =>
      schema.node(
        'tableRow',
        null,
        cells.map(cell => schema.node('tableCell', null, p(cell))),
      )
    const fragment = open(
      list(item(p('a')), item(p('b'), list(item(p('c')))), item(p('d'))),
      schema.node('table', null, [row('1', '2'), row('3', '4')]),
    )
    const kept = childOf(fragment, 0, 1, 1, 0, 0, 0)
    const cell = childOf(fragment, 1, 1, 1, 0, 0)
    const wanted = doc(
      list(item(p('new')), item(p('b'), list(item(p('c changed')))), item(p('d'))),
      schema.node('table', null, [row('0', '0'), row('3', '4')]),
    )
    replaceDocument(fragment, wanted)
    expect(readNode(fragment).eq(wanted)).toBe(true)
    expect(kept.toString()).toBe('c changed')
    expect(childOf(fragment, 1, 1, 1, 0, 0) === cell).toBe(true)
  })

  it('refuses to delete what it does not know, and keeps unknown attributes', () => {
    const fragment = open(p('a'))
    childOf(fragment, 0).setAttribute('textAlign', 'right')
    replaceDocument(fragment, doc(p('b')))
    expect(childOf(fragment, 0).getAttribute('textAlign')).toBe('right')
    fragment.insert(0, [new Y.XmlElement('callout')])
    expect(() => replaceDocument(fragment, doc(p('b')))).toThrow(EditError)
    expect(() => replaceDocument(fragment, doc(p('b')))).toThrow(/node callout/)
  })

  it('refuses what is not a whole valid document', () => {
    const fragment = open(p('a'))
    expect(() => replaceDocument(fragment, p('a'))).toThrow(/whole document/)
    expect(() =>
      replaceDocument(fragment, schema.node('doc', null, schema.nodes.heading?.create({ level: 7 }))),
    ).toThrow(/heading\.level/)
    expect(() => replaceDocument(new Y.XmlFragment(), doc(p('a')))).toThrow()
  })

  it(
    'makes any document of any other, in steps that others can follow and undo',
    () => {
      fc.assert(
        fc.property(
          arbitraryDocument,
          arbitraryDocument,
          fc.infiniteStream(fc.boolean()),
          arbitraryBlock,
          (from, to, picks, added) => {
            const fragment = open()
            replaceDocument(fragment, from)
            expectEqual(readNode(fragment), from)
            const reading = updatesDuring(fragment, () => {
              // Nothing is needed to make an empty document of an empty fragment; y-tiptap reads that as one without blocks.
              const read = yXmlFragmentToProseMirrorRootNode(fragment, schema)
              expectEqual(fragment.length === 0 ? readNode(fragment) : read, from)
            })
            expect(reading).toEqual([])
            const follower = copy(fragment)
            const origin = {}
            const undo = new Y.UndoManager(fragment, { trackedOrigins: new Set([origin]) })
            replaceDocument(fragment, to, origin)
            expectEqual(readNode(fragment), to)
            expect(updatesDuring(fragment, () => replaceDocument(fragment, to))).toEqual([])
            undo.undo()
            expectEqual(readNode(fragment), from)
            undo.redo()
            // What another replica made of a part of the blocks at the same time: both are the same afterwards, and valid.
            const others = [...from.children.filter(() => picks.next().value), added]
            replaceDocument(follower, schema.node('doc', null, others))
            exchange(fragment, follower)
            readNode(fragment).check()
          },
        ),
        { numRuns: rounds.documentPairs, ...seed },
      )
    },
    longTimeoutMs,
  )
})

describe('repair', () => {
  it('makes what stands in the wrong place valid and keeps its text', () => {
    const fragment = open(p('a'))
    const item = new Y.XmlElement('listItem')
    const code = new Y.XmlElement('codeBlock')
    code.insert(0, [new Y.XmlText('code')])
    item.insert(0, [code])
    fragment.insert(1, [item])
    expect(repair(fragment)).toBe(true)
    expect(fragment.toString()).toBe(
      '<paragraph>a</paragraph><bulletlist><listitem><paragraph></paragraph><codeblock>code</codeblock></listitem></bulletlist>',
    )
    expect(repair(fragment)).toBe(false)
  })

  it('puts a default where a value is invalid', () => {
    const fragment = open(h('a'))
    childOf(fragment, 0).setAttribute('level', 'x')
    expect(repair(fragment)).toBe(true)
    expect(childOf(fragment, 0).getAttribute('level')).toBe(1)
  })
})

describe('append and insertAfterHeading', () => {
  it('add blocks and touch nothing else', () => {
    const fragment = open(h('Top'), p('a'), h('  Sub\n heading', 2), p('b'))
    const before = fragment.toArray()
    expect(append(fragment, [p('end'), p('really')])).toBe(4)
    expect(append(fragment, doc(p('x'), p('y')))).toBe(6)
    expect(insertAfterHeading(fragment, 'Sub heading', p('news'))).toBe(3)
    expect(textOf(fragment)).toBe('Top\na\n  Sub\n heading\nnews\nb\nend\nreally\nx\ny')
    expect(before.every(block => fragment.toArray().includes(block))).toBe(true)
    expect(append(open(), p('first'))).toBe(0)
  })

  it('work beside content that this version does not know', () => {
    const fragment = open(h('Top'))
    fragment.insert(1, [new Y.XmlElement('callout')])
    append(fragment, p('end'))
    insertAfterHeading(fragment, 'Top', p('news'))
    expect(fragment.toString()).toBe(
      '<heading level="1">Top</heading><paragraph>news</paragraph><callout></callout><paragraph>end</paragraph>',
    )
  })

  it('survive each other', () => {
    const mine = open(h('Log'), p('old'))
    const theirs = copy(mine)
    insertAfterHeading(mine, 'Log', p('mine'))
    append(theirs, p('theirs'))
    exchange(mine, theirs)
    expect(textOf(mine)).toBe('Log\nmine\nold\ntheirs')
  })

  it('say what is wrong', () => {
    const fragment = open(h('One'), h('Two'))
    expect(() => insertAfterHeading(fragment, 'Three', p('a'))).toThrow(
      'no heading "Three"; its headings are "One", "Two"',
    )
    expect(() => insertAfterHeading(open(), 'Three', p('a'))).toThrow('it has none')
    expect(() => append(fragment, text('a'))).toThrow(/top level/)
    expect(() => append(fragment, schema.nodes.bulletList?.create() ?? [])).toThrow(/bulletList/)
  })
})

describe('textOf', () => {
  it('is one line per block of text', () => {
    const list = schema.node('bulletList', null, [
      schema.node('listItem', null, [p('item'), schema.node('codeBlock', null, text('x\ny'))]),
    ])
    expect(textOf(open(h('a'), schema.node('horizontalRule'), p('b', br(), 'c'), list, p(), p('end')))).toBe(
      'a\nb\nc\nitem\nx\ny\n\nend',
    )
    expect(textOf(open())).toBe('')
  })
})

describe('replaceText', () => {
  it('replaces the first occurrence, keeping marks and carets', () => {
    const fragment = open(p('before'), p('say ', text('hello', 'bold'), ' to all, hello'))
    const line = childOf(fragment, 1, 0)
    const caret = Y.createRelativePositionFromTypeIndex(line, 'say hello to'.length)
    expect(replaceText(fragment, 'hello', 'good morning')).toEqual({ from: 11, to: 23 })
    expect(htmlOf(fragment)).toBe('<p>before</p><p>say <strong>good morning</strong> to all, hello</p>')
    expect(Y.createAbsolutePositionFromRelativePosition(caret, docOf(fragment))?.index).toBe(
      'say good morning to'.length,
    )
  })

  it('touches only the characters that differ, in one update', () => {
    const fragment = open(p('the colour of ', text('money', 'italic')))
    const deltas: unknown[] = []
    childOf(fragment, 0, 0).observe(event => deltas.push(...event.delta))
    expect(updatesDuring(fragment, () => replaceText(fragment, 'colour of money', 'color of money'))).toHaveLength(1)
    expect(deltas).toEqual([{ retain: 8 }, { delete: 1 }])
    expect(updatesDuring(fragment, () => replaceText(fragment, 'color', 'color'))).toEqual([])
  })

  it('takes a range, also an empty one', () => {
    const fragment = open(p('ab'), p('cd'))
    expect(replaceText(fragment, { from: 4, to: 4 }, '-')).toEqual({ from: 4, to: 5 })
    expect(textOf(fragment)).toBe('ab\nc-d')
    replaceText(fragment, { from: 0, to: 2 }, '')
    expect(textOf(fragment)).toBe('\nc-d')
    replaceText(fragment, { from: 0, to: 0 }, 'new')
    expect(textOf(fragment)).toBe('new\nc-d')
    const empty = open()
    replaceText(empty, { from: 0, to: 0 }, 'first')
    expect(htmlOf(empty)).toBe('<p>first</p>')
    const blank = open(p())
    replaceText(blank, { from: 0, to: 0 }, 'first')
    expect(htmlOf(blank)).toBe('<p>first</p>')
  })

  it('writes over several differently formatted stretches', () => {
    const fragment = open(p(text('bold', 'bold'), ' plain ', text('code', 'code')))
    replaceText(fragment, 'bold plain code', 'fett plain kode')
    expect(htmlOf(fragment)).toBe('<p><strong>fett</strong> plain <code>kode</code></p>')
  })

  it('goes over blocks and line breaks', () => {
    const fragment = open(h('one'), p('two'), p('three'))
    const last = childOf(fragment, 2)
    replaceText(fragment, { from: 2, to: 6 }, '-')
    expect(htmlOf(fragment)).toBe('<h1>on-o</h1><p>three</p>')
    expect(childOf(fragment, 1) === last).toBe(true)
    const broken = open(p('a', br(), 'b'))
    replaceText(broken, 'a\nb', 'x\ny\nz')
    expect(htmlOf(broken)).toBe('<p>x<br>y<br>z</p>')
    replaceText(broken, { from: 1, to: 2 }, ' ')
    expect(htmlOf(broken)).toBe('<p>x y<br>z</p>')
    const code = open(schema.node('codeBlock', null, text('a\nb')))
    replaceText(code, 'a\nb', 'a\nx\nb')
    expect(htmlOf(code)).toBe('<pre><code>a\nx\nb</code></pre>')
  })

  it('works in text beside, and with marks of, what this version does not know', () => {
    const fragment = open(p('hello'))
    childOf(fragment, 0, 0).format(0, 5, { highlight: {} })
    fragment.insert(0, [new Y.XmlElement('callout')])
    replaceText(fragment, 'hello', 'help')
    expect(childOf(fragment, 1, 0).toDelta()).toEqual([{ insert: 'help', attributes: { highlight: {} } }])
  })

  it('survives concurrent edits', () => {
    const mine = open(p('one two three'))
    const theirs = copy(mine)
    replaceText(mine, 'two', '2')
    childOf(theirs, 0, 0).insert(13, ' four')
    childOf(theirs, 0, 0).insert(0, 'zero ')
    exchange(mine, theirs)
    expect(textOf(mine)).toBe('zero one 2 three four')
  })

  it('says what is wrong', () => {
    const fragment = open(p('ab'), p('cd'))
    expect(() => replaceText(fragment, 'x', 'y')).toThrow(/no block of the document contains "x"/)
    expect(() => replaceText(fragment, 'b\nc', 'y')).toThrow(EditError)
    expect(() => replaceText(fragment, '', 'y')).toThrow(RangeError)
    expect(() => replaceText(fragment, { from: 3, to: 9 }, 'y')).toThrow(
      'range 3 to 9 is not within the text of 5 characters',
    )
  })
})
