import type { Node } from '@tiptap/pm/model'
import type { Transform } from '@tiptap/pm/transform'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { rounds } from '../../../test/rounds.ts'
import { arbitraryBlock, arbitraryDocument, longTimeoutMs, seed } from '../test/arbitraryDocument.ts'
import { gentle, isRefusal, operations, rough, transformBy } from '../test/randomTransform.ts'
import {
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
  updatesDuring,
} from '../test/replicas.ts'
import { EditError } from './EditError.ts'
import { append } from './edit.ts'
import { readNode } from './findUnknown.ts'
import { replaceDocument } from './replaceDocument.ts'
import { schema } from './schema.ts'
import { textOf } from './textOf.ts'
import { transformDocument } from './transformDocument.ts'

const caretIn = (text: Y.XmlText, index: number) => {
  const position = Y.createRelativePositionFromTypeIndex(text, index)
  return () => Y.createAbsolutePositionFromRelativePosition(position, text.doc as Y.Doc)
}

describe('transformDocument', () => {
  it('is one update with its origin, and says whether anything was changed', () => {
    const fragment = open(h('Title'), p('one'))
    const origins: unknown[] = []
    docOf(fragment).on('update', (_update: Uint8Array, origin: unknown) => origins.push(origin))
    const origin = { bot: 'b' }
    const isChanged = transformDocument(
      fragment,
      tr => tr.insert(tr.doc.content.size, p('two')).setNodeMarkup(0, null, { level: 2 }).delete(1, 2),
      origin,
    )
    expect(isChanged).toBe(true)
    expect(origins).toEqual([origin])
    expect(htmlOf(fragment)).toBe('<h2>itle</h2><p>one</p><p>two</p>')
    expect(transformDocument(fragment, () => {})).toBe(false)
    expect(transformDocument(fragment, tr => tr.insert(1, schema.text('x')).delete(1, 2))).toBe(false)
    expect(origins).toHaveLength(1)
  })

  it('leaves every character alone that no step replaced, also among equal ones', () => {
    const fragment = open(p('aaaa'), p('abcdefgh'))
    const [first, second] = [childOf(fragment, 0, 0), childOf(fragment, 1, 0)]
    const inFirst = caretIn(first, 2)
    const inSecond = caretIn(second, 4)
    transformDocument(fragment, tr => {
      tr.insert(1, schema.text('a'))
      // Two places in one word.
      tr.insert(9, schema.text('X')).insert(15, schema.text('Y'))
    })
    expect(textOf(fragment)).toBe('aaaaa\naXbcdefYgh')
    expect(inFirst()).toMatchObject({ index: 3 })
    expect(inSecond()).toMatchObject({ index: 5 })
    expect([childOf(fragment, 0, 0) === first, childOf(fragment, 1, 0) === second]).toEqual([true, true])
  })

  it('changes no more than differs of what a step replaced by something alike', () => {
    const fragment = open(p('one colour here'), p('rest'))
    const deltas: unknown[] = []
    childOf(fragment, 0, 0).observe(event => deltas.push(...event.delta))
    transformDocument(fragment, tr => tr.replaceWith(0, tr.doc.content.size, [p('one color here'), p('rest')]))
    expect(deltas).toEqual([{ retain: 8 }, { delete: 1 }])
  })

  it('puts an equal block before another one, and what is written into that one at the same time stays there', () => {
    const mine = open(p('x'), p('y'))
    const theirs = copy(mine)
    transformDocument(mine, tr => tr.insert(0, p('x')))
    childOf(theirs, 0, 0).insert(1, '!')
    exchange(mine, theirs)
    expect(textOf(mine)).toBe('x\nx!\ny')
  })

  it('keeps the larger part of a block that is split, and of blocks that are joined', () => {
    const fragment = open(p('hello world and more'))
    const whole = childOf(fragment, 0)
    transformDocument(fragment, tr => tr.split(7))
    expect(textOf(fragment)).toBe('hello \nworld and more')
    expect(childOf(fragment, 1) === whole).toBe(true)
    transformDocument(fragment, tr => tr.join(8))
    expect(textOf(fragment)).toBe('hello world and more')
    expect(childOf(fragment, 0) === whole).toBe(true)
  })

  it('writes a character anew of which a half was replaced', () => {
    const fragment = open(p('a😀b'))
    const follower = copy(fragment)
    const [update] = updatesDuring(fragment, () => {
      transformDocument(fragment, tr => tr.replaceWith(3, 4, schema.text('\ude01')))
    })
    Y.applyUpdate(docOf(follower), update ?? new Uint8Array())
    expect([textOf(fragment), textOf(follower)]).toEqual(['a😁b', 'a😁b'])
  })

  it('changes attributes and marks in place', () => {
    const fragment = open(h('Title'), p('text'))
    const elements = fragment.toArray()
    const texts = elements.map(element => (element as Y.XmlElement).get(0))
    transformDocument(fragment, tr => tr.setNodeAttribute(0, 'level', 3).addMark(8, 10, schema.mark('bold')))
    expect(htmlOf(fragment)).toBe('<h3>Title</h3><p><strong>te</strong>xt</p>')
    expect(fragment.toArray().map((element, index) => element === elements[index])).toEqual([true, true])
    expect(fragment.toArray().map((element, index) => (element as Y.XmlElement).get(0) === texts[index])).toEqual([
      true,
      true,
    ])
  })

  it('works on an empty document, and where attributes are unknown', () => {
    const empty = open()
    expect(transformDocument(empty, tr => tr.insert(1, schema.text('first')))).toBe(true)
    expect(htmlOf(empty)).toBe('<p>first</p>')
    const fragment = open(p('a'), p('b'))
    childOf(fragment, 0).setAttribute('textAlign', 'right')
    transformDocument(fragment, tr => tr.insert(1, schema.text('x')))
    expect(textOf(fragment)).toBe('xa\nb')
    expect(childOf(fragment, 0).getAttribute('textAlign')).toBe('right')
  })

  describe('writes nothing', () => {
    const refused = (fragment: Y.XmlFragment, change: (tr: Transform) => void) => {
      let error: unknown
      const updates = updatesDuring(fragment, () => {
        try {
          transformDocument(fragment, change)
        } catch (thrown) {
          error = thrown
        }
      })
      expect(updates).toEqual([])
      return error
    }

    it('when the callback throws, and can be used again', () => {
      const fragment = open(p('a'))
      const mistake = new Error('mine')
      const thrown = refused(fragment, tr => {
        tr.insert(1, schema.text('x'))
        throw mistake
      })
      expect(thrown).toBe(mistake)
      expect(transformDocument(fragment, tr => tr.delete(1, 2))).toBe(true)
    })

    it('when the callback is asynchronous, whatever becomes of it', async () => {
      const thrown = refused(open(p('a')), async tr => {
        tr.delete(1, 2)
        await Promise.reject(new Error('nobody waits for this'))
      })
      expect(thrown).toBeInstanceOf(TypeError)
      expect(String(thrown)).toMatch(/must not be asynchronous/)
      // An unhandled rejection would come before this.
      await new Promise(resolve => setImmediate(resolve))
    })

    it('when another edit runs within the callback; neither does that', () => {
      const fragment = open(p('a'))
      const nested = [
        () => transformDocument(fragment, tr => tr.delete(1, 2)),
        () => append(fragment, p('b')),
        () => replaceDocument(fragment, doc(p('b'))),
      ]
      for (const change of nested) {
        const thrown = refused(fragment, change)
        expect(thrown).toBeInstanceOf(TypeError)
        expect(String(thrown)).toMatch(/within an edit/)
      }
      const other = open(p('b'))
      transformDocument(fragment, tr => {
        transformDocument(other, inner => inner.delete(1, 2))
        tr.insert(1, schema.text('x'))
      })
      expect([textOf(fragment), textOf(other)]).toEqual(['xa', ''])
    })

    it('when the result is not a valid document', () => {
      const fragment = open(h('a'), p('b'))
      expect(refused(fragment, tr => tr.setNodeAttribute(0, 'level', 9))).toBeInstanceOf(RangeError)
      expect(refused(fragment, tr => tr.insert(0, schema.nodes.bulletList?.create() ?? []))).toBeInstanceOf(Error)
      expect(htmlOf(fragment)).toBe('<h1>a</h1><p>b</p>')
      const smile = open(p('😀'))
      expect(refused(smile, tr => tr.insert(2, schema.text('x')))).toBeInstanceOf(RangeError)
      expect(refused(smile, tr => tr.addMark(1, 2, schema.mark('bold')))).toBeInstanceOf(RangeError)
    })

    it('over what this version does not know', () => {
      const fragment = open(p('a'))
      fragment.insert(0, [new Y.XmlElement('callout')])
      const thrown = refused(fragment, tr => tr.delete(1, 2))
      expect(thrown).toBeInstanceOf(EditError)
      expect(thrown).toMatchObject({ code: 'UNKNOWN_CONTENT' })
    })

    it('of its transform, when the callback changes the document itself', () => {
      const fragment = open(p('a'))
      const change = (tr: Transform) => {
        childOf(fragment, 0, 0).insert(0, 'y')
        tr.insert(1, schema.text('x'))
      }
      expect(() => transformDocument(fragment, change)).toThrow(/by other means than its transform/)
      expect(textOf(fragment)).toBe('ya')
    })
  })
})

/** Every text of two characters or more: where it is in both forms, and whether a step has touched what holds it. */
const textsOf = (fragment: Y.XmlFragment, document: Node) => {
  const runs: { start: number; length: number; holders: number[]; block: Node }[] = []
  document.descendants((node, position) => {
    if (!node.isTextblock) return true
    const $inside = document.resolve(position + 1)
    const holders = Array.from({ length: $inside.depth }, (_, depth) => $inside.before(depth + 1))
    let isOpen = false
    node.forEach((child, offset) => {
      const last = runs.at(-1)
      if (child.isText && isOpen && last) last.length += child.nodeSize
      else if (child.isText) {
        runs.push({ start: position + 1 + offset, length: child.nodeSize, holders, block: $inside.node(1) })
      }
      isOpen = child.isText
    })
    return false
  })
  const texts: Y.XmlText[] = []
  const walk = (parent: Y.XmlFragment) => {
    for (const child of parent.toArray() as unknown[]) {
      if (child instanceof Y.XmlText) {
        if (child.length > 0) texts.push(child)
      } else if (child instanceof Y.XmlElement) walk(child)
    }
  }
  walk(fragment)
  expect(texts.map(({ length }) => length)).toEqual(runs.map(({ length }) => length))
  return runs.map((run, index) => ({ ...run, text: texts[index] as Y.XmlText }))
}

/**
 * Writes a character of its own between any two of a text, as `picks` has it.
 * @returns what was written, between which tokens of `document`
 */
const writeMarkers = (fragment: Y.XmlFragment, document: Node, picks: IterableIterator<boolean>) => {
  const markers: { marker: string; at: number; holders: number[]; block: Node }[] = []
  for (const { start, length, holders, block, text } of textsOf(fragment, document)) {
    const string = document.textBetween(start, start + length)
    for (let offset = length - 1; offset > 0; offset--) {
      const isWithinCharacter = /[\udc00-\udfff]/.test(string[offset] ?? '')
      if (isWithinCharacter || !picks.next().value || markers.length === 500) continue
      const marker = String.fromCharCode(0xe000 + markers.length)
      text.insert(offset, marker)
      markers.push({ marker, at: start + offset, holders, block })
    }
  }
  return markers
}

describe('any transform of any document', () => {
  const runs = { numRuns: rounds.transforms, ...seed }

  it(
    'makes what it says, in one update that is undone as one',
    () => {
      fc.assert(
        fc.property(arbitraryDocument, operations, (from, list) => {
          const fragment = open()
          replaceDocument(fragment, from)
          const follower = copy(fragment)
          const undo = new Y.UndoManager(fragment)
          let wanted = from
          const updates = updatesDuring(fragment, () => {
            try {
              wanted = transformBy(fragment, [...gentle, ...rough], list).doc
            } catch (error) {
              if (!isRefusal(error)) throw error
            }
          })
          expectEqual(readNode(fragment), wanted)
          expect(updates.length).toBeLessThanOrEqual(1)
          for (const update of updates) Y.applyUpdate(docOf(follower), update)
          expect(follower.toString()).toBe(fragment.toString())
          undo.undo()
          expect(undo.undoStack).toHaveLength(0)
          expectEqual(readNode(fragment), from)
        }),
        runs,
      )
    },
    longTimeoutMs,
  )

  it(
    'keeps what others write at the same time between characters that it leaves alone',
    () => {
      let survivors = 0
      fc.assert(
        fc.property(
          arbitraryDocument,
          operations,
          fc.boolean(),
          fc.infiniteStream(fc.boolean()),
          arbitraryBlock,
          (from, list, isGentle, picks, added) => {
            const mine = open()
            replaceDocument(mine, from)
            const theirs = copy(mine)
            let made: Transform
            try {
              made = transformBy(mine, isGentle ? gentle : [...gentle, ...rough], list)
            } catch (error) {
              if (isRefusal(error)) return
              throw error
            }
            const markers = writeMarkers(theirs, made.before, picks)
            append(theirs, [added, p('\uf8ff')])
            exchange(mine, theirs)
            readNode(mine).check()
            const after = textOf(mine)
            expect(after).toContain('\uf8ff')
            const isGone = (token: number) => made.mapping.mapResult(token, 1).deletedAfter
            for (const { marker, at, holders, block } of markers) {
              const isLeft = isGentle
                ? !isGone(at - 1) && !isGone(at) && !holders.some(isGone)
                : made.doc.children.includes(block)
              if (!isLeft) continue
              survivors++
              expect(after.split(marker)).toHaveLength(2)
            }
          },
        ),
        runs,
      )
      expect(survivors).toBeGreaterThan(rounds.transforms)
    },
    longTimeoutMs,
  )
})
