import type { Node } from '@tiptap/pm/model'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { rounds } from '../../../test/rounds.ts'
import { arbitraryBlock, arbitraryDocument, longTimeoutMs, seed, withUnsayable } from '../test/arbitraryDocument.ts'
import { applyChange, unite } from './applyChange.ts'
import { readNode } from './findUnknown.ts'
import { fromMarkdown } from './fromMarkdown.ts'
import { comesFrom, mergeChange, restoreInserts } from './mergeChange.ts'
import { replaceDocument } from './replaceDocument.ts'
import { FRAGMENT_NAME, schema } from './schema.ts'
import { toMarkdown } from './toMarkdown.ts'

const fragmentOf = (ydoc: Y.Doc) => ydoc.getXmlFragment(FRAGMENT_NAME)
const stateOf = (ydoc: Y.Doc) => Y.encodeStateAsUpdate(ydoc)
const markdownOf = (ydoc: Y.Doc) => toMarkdown(readNode(fragmentOf(ydoc)))

const open = (content: string | Node): Y.Doc => {
  const ydoc = new Y.Doc()
  replaceDocument(fragmentOf(ydoc), typeof content === 'string' ? fromMarkdown(content) : content)
  return ydoc
}

const copy = (ydoc: Y.Doc): Y.Doc => {
  const other = new Y.Doc()
  Y.applyUpdate(other, stateOf(ydoc))
  return other
}

type Attributes = Record<string, string | number | number[]>

const element = (name: string, attributes: Attributes, ...children: (Y.XmlElement | Y.XmlText)[]) => {
  const made = new Y.XmlElement<Attributes>(name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.insert(0, children)
  return made as unknown as Y.XmlElement
}

describe('applyChange', () => {
  /** Makes an edit of the document's Markdown on the document. */
  const edit = (ydoc: Y.Doc, change: (markdown: string) => string) => {
    const before = markdownOf(ydoc)
    return applyChange(fragmentOf(ydoc), fromMarkdown(before), fromMarkdown(change(before)))
  }

  it(
    'makes any document say what another one says in Markdown',
    () => {
      fc.assert(
        fc.property(arbitraryDocument, arbitraryDocument, (one, other) => {
          const ydoc = open(one)
          const wanted = toMarkdown(other)
          edit(ydoc, () => wanted)
          expect(markdownOf(ydoc)).toBe(wanted)
        }),
        { numRuns: rounds.documentPairs, ...seed },
      )
    },
    longTimeoutMs,
  )

  it(
    'touches no block but the one that was changed, whatever Markdown can’t say of the others',
    () => {
      fc.assert(
        fc.property(fc.array(arbitraryBlock, { minLength: 1, maxLength: 4 }), fc.nat(), (blocks, at) => {
          const unsayable = blocks.map(withUnsayable)
          const mark = schema.node('paragraph', null, [schema.text('unique')])
          const index = at % (blocks.length + 1)
          unsayable.splice(index, 0, mark)
          const doc = schema.node('doc', null, unsayable)
          doc.check()
          const ydoc = open(doc)
          const before = readNode(fragmentOf(ydoc))
          edit(ydoc, markdown => markdown.replace('unique', 'unique *and more*'))
          const after = readNode(fragmentOf(ydoc))
          expect(after.childCount).toBe(before.childCount)
          after.forEach((block, _offset, place) => {
            if (place !== index) expect(block.toJSON()).toEqual(before.child(place).toJSON())
          })
          expect(after.child(index).textContent).toBe('unique and more')
        }),
        { numRuns: rounds.documentPairs, ...seed },
      )
    },
    longTimeoutMs,
  )

  it('keeps what Markdown can’t say of the block that is changed', () => {
    const ydoc = new Y.Doc()
    const text = new Y.XmlText()
    text.applyDelta([
      { insert: 'see ' },
      { insert: 'this', attributes: { link: { href: 'https://a.b/', target: '_blank', class: 'x' } } },
      { insert: ' and ' },
      { insert: 'that', attributes: { underline: {} } },
    ])
    const cell = (name: string, attributes: Attributes, content: string) =>
      element(name, attributes, element('paragraph', {}, new Y.XmlText(content)))
    fragmentOf(ydoc).insert(0, [
      element('paragraph', { 'data-x': '1' }, text),
      element('image', { src: 'a.png', alt: 'a', width: 300 }),
      element(
        'table',
        {},
        element('tableRow', {}, cell('tableCell', { colspan: 2 }, 'wide'), cell('tableHeader', { rowspan: 2 }, 'tall')),
        element('tableRow', {}, cell('tableCell', { colwidth: [90] }, 'one'), cell('tableCell', {}, 'two')),
      ),
    ])
    edit(ydoc, markdown =>
      markdown.replace('see', 'look at').replace('that', 'that one').replace('![a]', '![b]').replace('two', '2'),
    )
    expect(fragmentOf(ydoc).get(0).toString()).toMatch(
      /^<paragraph data-x="1">look at <link .*target="_blank".*>this<\/link> and <underline>that<\/underline> one<\/paragraph>$/,
    )
    expect((fragmentOf(ydoc).get(1) as Y.XmlElement).getAttributes()).toMatchObject({ alt: 'b', width: 300 })
    expect(readNode(fragmentOf(ydoc)).child(2).toJSON()).toMatchObject({
      content: [
        { content: [{ attrs: { colspan: 2 } }, { type: 'tableHeader', attrs: { rowspan: 2 } }] },
        { content: [{ attrs: { colwidth: [90] } }, { content: [{ content: [{ text: '2' }] }] }] },
      ],
    })
  })

  it('never deletes what it doesn’t know; what should become of such a block stands behind it', () => {
    const ydoc = new Y.Doc()
    fragmentOf(ydoc).insert(0, [
      element('paragraph', {}, new Y.XmlText('first')),
      element('video', { src: 'v.mp4' }),
      element('callout', { tone: 'warm' }, element('paragraph', {}, new Y.XmlText('inside'))),
      element('paragraph', {}, new Y.XmlText('last')),
    ])
    expect(markdownOf(ydoc)).toBe('first\n\ninside\n\nlast\n')
    expect(edit(ydoc, markdown => markdown.replace('first', 'First'))).toBe(0)
    expect(edit(ydoc, markdown => markdown.replace('inside', 'inside now'))).toBe(1)
    expect(edit(ydoc, () => 'nothing else\n')).toBe(1)
    expect(fragmentOf(ydoc).toString()).toMatch(
      /<video src="v.mp4"><\/video>.*<callout tone="warm"><paragraph>inside<\/paragraph><\/callout>/,
    )
    expect(markdownOf(ydoc)).toContain('nothing else')
  })
})

describe('mergeChange', () => {
  /** A document that one side edits as Markdown and the other one on a replica, and what comes of it. */
  const merge = (base: string, file: string, change: (fragment: Y.XmlFragment) => void) => {
    const ydoc = open(base)
    const state = stateOf(ydoc)
    change(fragmentOf(ydoc))
    const merged = mergeChange(ydoc, state, fromMarkdown(base), fromMarkdown(file))
    if (merged.update) Y.applyUpdate(ydoc, merged.update)
    return { text: markdownOf(ydoc), ydoc, ...merged }
  }
  const say = (markdown: string) => (fragment: Y.XmlFragment) => replaceDocument(fragment, fromMarkdown(markdown))

  it('keeps the edits of both sides', () => {
    const { text, rescuedCount } = merge(
      '# A\n\none two\n\nthree\n',
      '# A\n\none 2 two\n\nthree\n\nnew\n',
      say('# A!\n\nhere\n\none two\n\nthree 3\n'),
    )
    expect([text, rescuedCount]).toEqual(['# A!\n\nhere\n\none 2 two\n\nthree 3\n\nnew\n', 0])
  })

  it('makes no update where the text is the same, however it is written', () => {
    const { update } = merge('- a\n- b\n', '* a\n* b\n', say('- a\n- b\n- c\n'))
    expect(update).toBe(null)
  })

  it('keeps a block that one side deleted and the other wrote in', () => {
    expect(merge('a b\n\nc\n', 'c\n', say('a b and more\n\nc\n')).text).toBe('a b and more\n\nc\n')
    expect(merge('c\n\na b\n', 'c\n\na b and more\n', say('c\n')).text).toBe('c\n\na b and more\n')
    expect(merge('- a\n- b\n- c\n', '- a\n- c\n', say('- a\n- b more\n- c\n')).text).toBe('- a\n- b more\n- c\n')
    expect(merge('x\n\n- a\n- b\n', 'x\n\n- a\n- b\n- c\n', say('x\n')).text).toBe('x\n\n- a\n- b\n- c\n')
    // Nobody wrote in it: it is gone.
    expect(merge('a\n\nb\n\nc\n', 'a\n\nc\n', say('a\n\nb\n\nc d\n')).text).toBe('a\n\nc d\n')
  })

  it('loses no word where a block becomes another kind of block', () => {
    const { text } = merge('some words\n\nz\n', '# some words\n\nz\n', say('some more words\n\nz\n'))
    for (const word of ['# some words', 'more', 'z']) expect(text).toContain(word)
  })

  it('puts a block back once, however often somebody changes it who hasn’t heard of that', () => {
    const first = merge('a\n\nb\n', 'a 1\n\nb\n', say('b\n'))
    expect(first.text).toBe('a 1\n\nb\n')
    const second = mergeChange(first.ydoc, first.state, fromMarkdown('a 1\n\nb\n'), fromMarkdown('a 1 2\n\nb\n'))
    Y.applyUpdate(first.ydoc, second.update as Uint8Array)
    expect(markdownOf(first.ydoc)).toBe('a 1 2\n\nb\n')
  })

  it('puts back what was written into something that was deleted before anybody could see it', () => {
    const ydoc = open('- a\n- b\n\nz\n')
    const other = copy(ydoc)
    const { update, state, written } = mergeChange(
      ydoc,
      stateOf(ydoc),
      fromMarkdown('- a\n- b\n\nz\n'),
      fromMarkdown('- a\n- b\n- c\n\nz\n'),
    )
    Y.applyUpdate(ydoc, update as Uint8Array)
    say('z\n')(fragmentOf(other))
    Y.applyUpdate(ydoc, stateOf(other))
    expect(markdownOf(ydoc)).toBe('z\n')
    Y.applyUpdate(ydoc, restoreInserts(ydoc, state, [written]) as Uint8Array)
    expect(markdownOf(ydoc)).toContain('- c\n')
    const all = { clientID: ydoc.clientID, from: 0, to: 1e9 }
    expect(restoreInserts(copy(ydoc), stateOf(ydoc), [all])).toBe(null)
  })

  it('writes under one client id as long as that can be', () => {
    const ydoc = open('a\n')
    const first = mergeChange(ydoc, stateOf(ydoc), fromMarkdown('a\n'), fromMarkdown('a b\n'), 7)
    Y.applyUpdate(ydoc, first.update as Uint8Array)
    const second = mergeChange(ydoc, first.state, fromMarkdown('a b\n'), fromMarkdown('a b c\n'), 7)
    Y.applyUpdate(ydoc, second.update as Uint8Array)
    expect([first.written.clientID, second.written]).toEqual([
      7,
      { clientID: 7, from: first.written.to, to: first.written.to + 2 },
    ])
    // Of an older state: what it wrote since then isn't there.
    const third = mergeChange(ydoc, first.state, fromMarkdown('a b\n'), fromMarkdown('z a b\n'), 7)
    expect(third.written.clientID).not.toBe(7)
    Y.applyUpdate(ydoc, third.update as Uint8Array)
    expect(markdownOf(ydoc)).toBe('z a b c\n')
  })

  it('knows a document that was begun anew', () => {
    const ydoc = open('a\n')
    expect(comesFrom(copy(ydoc), stateOf(ydoc))).toBe(true)
    expect(comesFrom(open('a\n'), stateOf(ydoc))).toBe(false)
  })

  it(
    'brings a change into any document that says something else meanwhile, with every word of both',
    () => {
      fc.assert(
        fc.property(
          arbitraryDocument,
          fc.array(arbitraryBlock, { maxLength: 3 }),
          fc.nat(),
          fc.nat(),
          (doc, added, one, other) => {
            const base = toMarkdown(doc)
            const insert = (node: Node, at: number, blocks: readonly Node[]) =>
              schema.node('doc', null, [
                ...node.children.slice(0, at % (node.childCount + 1)),
                ...blocks,
                ...node.children.slice(at % (node.childCount + 1)),
              ])
            const line = (text: string) => schema.node('paragraph', null, [schema.text(text)])
            const read = fromMarkdown(base)
            const file = toMarkdown(insert(read, one, [line('fromTheFile')]))
            const { text } = merge(base, file, fragment =>
              replaceDocument(fragment, insert(readNode(fragment), other, [line('fromTheDocument'), ...added])),
            )
            for (const word of ['fromTheFile', 'fromTheDocument']) expect(text.split(word).length - 1).toBe(1)
          },
        ),
        { numRuns: rounds.documentPairs, ...seed },
      )
    },
    longTimeoutMs,
  )
})

it('unite has the blocks of both, common ones once', () => {
  const united = (a: string, b: string) => toMarkdown(unite(fromMarkdown(a), fromMarkdown(b)))
  expect(united('a\n\nb\n\nc\n', 'a\n\nx\n\nc\n\nd\n')).toBe('a\n\nb\n\nx\n\nc\n\nd\n')
  expect(united('- a\n- b\n', '- a\n- c\n')).toBe('- a\n- b\n- c\n')
  expect(united('', 'a\n')).toBe('a\n')
  expect(united('a\n', '')).toBe('a\n')
})
