import type { NodeType } from '@tiptap/pm/model'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { rounds } from '../../../test/rounds.ts'
import { arbitraryDocument, longTimeoutMs, seed } from '../test/arbitraryDocument.ts'
import { br, childOf, copy, doc, docOf, h, open, p, text } from '../test/replicas.ts'
import { append, replaceText } from './edit.ts'
import { replaceDocument } from './replaceDocument.ts'
import { schema } from './schema.ts'
import { type TextDifference, TextTracker } from './TextTracker.ts'
import { textOf } from './textOf.ts'
import { transformDocument } from './transformDocument.ts'

/** A tracker that hears of every transaction, and the text as its differences make it. */
const track = (fragment: Y.XmlFragment) => {
  const tracker = new TextTracker(fragment)
  docOf(fragment).on('afterTransaction', (transaction: Y.Transaction) => tracker.note(transaction))
  let known = textOf(fragment)
  return (): TextDifference[] => {
    const differences = tracker.read()
    for (const { at, deleted, inserted } of differences) {
      expect(known.slice(at, at + deleted.length)).toBe(deleted)
      expect(deleted).not.toBe(inserted)
      known = known.slice(0, at) + inserted + known.slice(at + deleted.length)
    }
    expect(known).toBe(textOf(fragment))
    return differences
  }
}

const send = (from: Y.XmlFragment, to: Y.XmlFragment) =>
  Y.applyUpdate(docOf(to), Y.encodeStateAsUpdate(docOf(from), Y.encodeStateVector(docOf(to))))

describe('TextTracker', () => {
  it('tells what was inserted by whom, and what was deleted', () => {
    const mine = open(h('Plan'), p('We meet on Friday.'))
    const theirs = copy(mine)
    const read = track(mine)
    expect(read()).toEqual([])
    const me = docOf(mine).clientID
    const they = docOf(theirs).clientID
    replaceText(mine, 'Plan', 'The plan')
    childOf(theirs, 1, 0).insert(3, 'all ')
    childOf(theirs, 1, 0).delete(21, 1)
    send(theirs, mine)
    append(mine, p('Bye.'))
    expect(read()).toEqual([
      { at: 0, deleted: 'P', inserted: 'The p', clientID: me },
      { at: 12, deleted: '', inserted: 'all ', clientID: they },
      // Their point is gone and there is one of mine: no difference.
      { at: 30, deleted: '', inserted: '\nBye', clientID: me },
    ])
    expect(read()).toEqual([])
  })

  it('tells neighbours apart, also where both wrote the same', () => {
    const mine = open(p('aaa'))
    const theirs = copy(mine)
    const read = track(mine)
    childOf(theirs, 0, 0).insert(1, 'a')
    childOf(mine, 0, 0).insert(1, 'aa')
    send(theirs, mine)
    const differences = read()
    expect(differences).toHaveLength(2)
    expect(differences.find(({ inserted }) => inserted === 'aa')?.clientID).toBe(docOf(mine).clientID)
    expect(differences.find(({ inserted }) => inserted === 'a')?.clientID).toBe(docOf(theirs).clientID)
    append(theirs, p('-'))
    send(theirs, mine)
    read()
    const { length } = textOf(mine)
    childOf(mine, 1, 0).insert(0, '-')
    expect(read()).toEqual([{ at: length - 1, deleted: '', inserted: '-', clientID: docOf(mine).clientID }])
  })

  it('passes over what is no text: formatting, attributes, what was written anew, what came and went', () => {
    const fragment = open(p('one two three'), p('four'))
    const heading = schema.nodes.heading as NodeType
    const read = track(fragment)
    transformDocument(fragment, tr => tr.addMark(1, 4, schema.mark('bold')))
    transformDocument(fragment, tr => tr.setBlockType(0, 14, heading, { level: 2 }))
    transformDocument(fragment, tr => tr.setNodeAttribute(0, 'level', 3))
    append(fragment, schema.node('horizontalRule'))
    childOf(fragment, 1, 0).insert(0, 'gone')
    childOf(fragment, 1, 0).delete(0, 4)
    expect(read()).toEqual([])
    transformDocument(fragment, tr => tr.split(4))
    const clientID = docOf(fragment).clientID
    expect(read()).toEqual([{ at: 3, deleted: '', inserted: '\n', clientID }])
  })

  it('follows lines that come and go at the ends, line breaks, and blocks without text', () => {
    const fragment = open(p('b'))
    const read = track(fragment)
    const clientID = docOf(fragment).clientID
    fragment.insert(0, [new Y.XmlElement('paragraph')])
    expect(read()).toEqual([{ at: 0, deleted: '', inserted: '\n', clientID }])
    fragment.delete(1)
    expect(read()).toEqual([{ at: 0, deleted: '\nb', inserted: '', clientID: null }])
    childOf(fragment, 0).insert(0, [new Y.XmlText('x'), new Y.XmlElement('hardBreak')])
    expect(read()).toEqual([{ at: 0, deleted: '', inserted: 'x\n', clientID }])
    fragment.delete(0)
    expect(read()).toEqual([{ at: 0, deleted: 'x\n', inserted: '', clientID: null }])
    replaceDocument(fragment, doc(p('a', br(), text('b', 'bold')), p(), schema.node('codeBlock', null, text('c\nd'))))
    read()
    // Another form of a character: a half of it.
    replaceDocument(fragment, doc(p('😀')))
    read()
    childOf(fragment, 0, 0).insert(1, 'x')
    read()
  })

  it('reads what the schema does not know as textOf does', () => {
    const fragment = open(p('a'))
    const read = track(fragment)
    const callout = new Y.XmlElement('callout')
    const inner = new Y.XmlElement('paragraph')
    inner.insert(0, [new Y.XmlText('inner')])
    callout.insert(0, [inner])
    fragment.insert(0, [callout])
    read()
    // It becomes a line itself, and its paragraph is none any more.
    callout.insert(0, [new Y.XmlText('outer')])
    read()
    callout.delete(0)
    read()
    childOf(callout, 0, 0).insert(0, 'an ')
    expect(read()).toHaveLength(1)
    fragment.insert(0, [new Y.XmlText('stray')])
    read()
    fragment.delete(0, 2)
    expect(read()).toEqual([{ at: 0, deleted: 'an inner\n', inserted: '', clientID: null }])
  })

  it('reads everything again after very many changes', () => {
    const fragment = open(...Array.from({ length: 1_200 }, (_, index) => p(`line ${index}`)))
    const read = track(fragment)
    for (let index = 0; index < 1_200; index++) childOf(fragment, index, 0).insert(4, '!')
    expect(read()).toHaveLength(1_200)
  })

  it(
    'gives the new text from the old one, whatever three replicas do, and every character its author',
    () => {
      const alphabets = ['abc ', 'klm_', 'xyz-']
      const operation = fc.record({ who: fc.nat(2), kind: fc.nat(9), a: fc.nat(), b: fc.nat(), to: fc.nat(2) })
      fc.assert(
        fc.property(fc.array(operation, { minLength: 1, maxLength: 80 }), operations => {
          const first = open(p('one'), p('two'))
          const replicas = [first, copy(first), copy(first)]
          const read = track(first)
          const authors = new Map(replicas.map((fragment, who) => [docOf(fragment).clientID, alphabets[who] ?? '']))
          const check = () => {
            for (const { inserted, clientID } of read()) {
              const alphabet = clientID === null ? '' : authors.get(clientID)
              for (const character of inserted.replaceAll('\n', '')) expect(alphabet).toContain(character)
            }
          }
          for (const { who, kind, a, b, to } of operations) {
            const fragment = replicas[who] as Y.XmlFragment
            const block = fragment.length > 0 ? childOf(fragment, a % fragment.length) : null
            const inline = block && block.length > 0 ? childOf(block, b % block.length) : null
            const alphabet = alphabets[who] ?? ''
            const typed = alphabet.slice(a % 3, 1 + (a % 3) + (b % 2))
            if (kind <= 2 && inline instanceof Y.XmlText) inline.insert(b % (inline.length + 1), typed)
            else if (kind === 3 && inline instanceof Y.XmlText && inline.length > 0) {
              const at = b % inline.length
              inline.delete(at, Math.min(inline.length - at, 1 + (a % 4)))
            } else if (kind === 4) {
              const added = new Y.XmlElement('paragraph')
              added.insert(0, [new Y.XmlText(typed)])
              fragment.insert(a % (fragment.length + 1), [added])
            } else if (kind === 5 && block) fragment.delete(a % fragment.length)
            else if (kind === 6 && block) {
              block.insert(b % (block.length + 1), [new Y.XmlElement('hardBreak'), new Y.XmlText(typed)])
            } else if (kind === 7 && who === 0) check()
            else if (kind >= 7) send(fragment, replicas[to] as Y.XmlFragment)
          }
          check()
        }),
        { numRuns: rounds.followedTexts, ...seed },
      )
    },
    longTimeoutMs,
  )

  it(
    'gives the new text from the old one, whatever document becomes of it',
    () => {
      fc.assert(
        fc.property(arbitraryDocument, arbitraryDocument, arbitraryDocument, fc.nat(), (from, to, theirs, at) => {
          const fragment = open()
          const read = track(fragment)
          replaceDocument(fragment, from)
          const other = copy(fragment)
          const undo = new Y.UndoManager(fragment)
          if (at % 2 === 0) read()
          replaceDocument(fragment, to)
          replaceDocument(other, theirs)
          if (at % 3 === 0) read()
          send(other, fragment)
          read()
          undo.undo()
          read()
        }),
        { numRuns: rounds.followedTexts, ...seed },
      )
    },
    longTimeoutMs,
  )
})
