import { getSchema } from '@tiptap/core'
import { EditorState } from '@tiptap/pm/state'
import type { EditorView } from '@tiptap/pm/view'
import { ySyncPlugin } from '@tiptap/y-tiptap'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { rounds } from '../../../test/rounds.ts'
import { arbitraryDocument, longTimeoutMs, seed } from '../test/arbitraryDocument.ts'
import { extensions } from './extensions.ts'
import { createUnknownFinder, findUnknown, readNode } from './findUnknown.ts'
import { maxDepth } from './readFragment.ts'
import { replaceDocument } from './replaceDocument.ts'
import { FRAGMENT_NAME, schema } from './schema.ts'

const element = (
  name: string,
  attributes: Record<string, unknown> = {},
  children: (Y.XmlElement | Y.XmlText)[] = [],
) => {
  const made = new Y.XmlElement(name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value as string)
  made.insert(0, children)
  return made
}

const text = (content: string, attributes: Record<string, object> = {}) => {
  const made = new Y.XmlText()
  made.applyDelta([{ insert: content, attributes }])
  return made
}

const paragraph = (content: string) => element('paragraph', {}, [text(content)])

const fragmentOf = (...children: unknown[]) => {
  const fragment = new Y.Doc().getXmlFragment(FRAGMENT_NAME)
  fragment.insert(0, children as Y.XmlElement[])
  return fragment
}

/** Binds y-tiptap's own plugin to the fragment, on a view without a DOM. */
const bind = (fragment: Y.XmlFragment) => {
  const plugin = ySyncPlugin(fragment)
  const view = {
    state: EditorState.create({ schema, plugins: [plugin] }),
    hasFocus: () => false,
    dispatch(tr: EditorState['tr']) {
      view.state = view.state.apply(tr)
      pluginView?.update?.(view as unknown as EditorView, view.state)
    },
  }
  let pluginView: ReturnType<NonNullable<typeof plugin.spec.view>> | undefined
  pluginView = plugin.spec.view?.(view as unknown as EditorView)
  return view
}

/** Binds and adds a paragraph at the end, as a writer would. */
const bindAndType = (fragment: Y.XmlFragment) => {
  const view = bind(fragment)
  const { tr, doc } = view.state
  view.dispatch(tr.insert(doc.content.size, schema.node('paragraph', null, schema.text('typed'))))
  return view.state.doc
}

const embed = () => {
  const made = text('lost')
  made.insertEmbed(4, { widget: 'w' })
  return element('paragraph', {}, [made])
}

const nested = (levels: number) => {
  let inner = paragraph('deep')
  for (let level = 1; level < levels; level++) inner = element('blockquote', {}, [inner])
  return inner
}

/** What each fragment holds, what findUnknown says, and which text y-tiptap loses (null: it throws). */
const cases: [
  title: string,
  make: () => Y.XmlFragment,
  kind: string,
  name: string,
  path: number[],
  lost: string | null,
][] = [
  [
    'an unknown block',
    () => fragmentOf(paragraph('a'), element('callout', {}, [paragraph('lost')])),
    'node',
    'callout',
    [1],
    'lost',
  ],
  [
    'an unknown block in a list item',
    () =>
      fragmentOf(
        element('bulletList', {}, [element('listItem', {}, [paragraph('a'), element('poll', {}, [text('lost')])])]),
      ),
    'node',
    'poll',
    [0, 0, 1],
    'lost',
  ],
  [
    'an unknown inline node',
    () => fragmentOf(element('paragraph', {}, [text('a'), element('mention', { id: 'lost' })])),
    'node',
    'mention',
    [0, 1],
    'mention',
  ],
  [
    'a name that every object has',
    () => fragmentOf(element('constructor', {}, [paragraph('lost')])),
    'node',
    'constructor',
    [0],
    'lost',
  ],
  [
    'an element called text',
    () => fragmentOf(element('paragraph', {}, [element('text', {}, [text('lost')])])),
    'node',
    'text',
    [0, 0],
    'lost',
  ],
  [
    'an unknown mark',
    () => fragmentOf(element('paragraph', {}, [text('lost', { highlight: {} })])),
    'mark',
    'highlight',
    [0, 0],
    'lost',
  ],
  [
    'an unknown overlapping mark',
    () => fragmentOf(element('paragraph', {}, [text('lost', { 'comment--abcdefgh': { id: 1 } })])),
    'mark',
    'comment',
    [0, 0],
    'lost',
  ],
  [
    'an unknown attribute of a node',
    () => fragmentOf(element('paragraph', { textAlign: 'lost' }, [text('a')])),
    'attribute',
    'paragraph.textAlign',
    [0],
    null,
  ],
  [
    'an unknown attribute of a mark',
    () => fragmentOf(element('paragraph', {}, [text('a', { link: { href: 'x', data: 'lost' } })])),
    'attribute',
    'link.data',
    [0, 0],
    null,
  ],
  [
    'an invalid attribute',
    () => fragmentOf(element('heading', { level: 'x' }, [text('a')])),
    'attribute',
    'heading.level',
    [0],
    null,
  ],
  [
    'a span that no layout survives',
    () =>
      fragmentOf(
        element('table', {}, [element('tableRow', {}, [element('tableCell', { colspan: 1e9 }, [paragraph('a')])])]),
      ),
    'attribute',
    'tableCell.colspan',
    [0, 0, 0],
    null,
  ],
  [
    'text in a block of blocks',
    () => fragmentOf(element('blockquote', {}, [text('lost')])),
    'content',
    'blockquote',
    [0],
    'lost',
  ],
  [
    'a block in a block of text',
    () => fragmentOf(element('paragraph', {}, [text('lost'), element('image', { src: 'x' })])),
    'content',
    'paragraph',
    [0],
    'lost',
  ],
  [
    'an item without its first paragraph',
    () => fragmentOf(element('bulletList', {}, [element('listItem', {}, [element('codeBlock', {}, [text('lost')])])])),
    'content',
    'listItem',
    [0, 0],
    'lost',
  ],
  [
    'children of a leaf',
    () => fragmentOf(element('horizontalRule', {}, [text('lost')])),
    'content',
    'horizontalRule',
    [0],
    'lost',
  ],
  [
    'a mark where none is allowed',
    () => fragmentOf(element('codeBlock', {}, [text('lost', { bold: {} })])),
    'content',
    'codeBlock',
    [0],
    'lost',
  ],
  [
    'a document in a document',
    () => fragmentOf(element('blockquote', {}, [element('doc', {}, [paragraph('lost')])])),
    'content',
    'blockquote',
    [0],
    'lost',
  ],
  ['text at the top level', () => fragmentOf(text('lost')), 'type', 'XmlText', [0], null],
  ['a hook at the top level', () => fragmentOf(new Y.XmlHook('h')), 'type', 'XmlHook', [0], null],
  [
    'a hook in a block',
    () => fragmentOf(element('paragraph', {}, [new Y.XmlHook('h') as unknown as Y.XmlText])),
    'type',
    'XmlHook',
    [0, 0],
    null,
  ],
  ['an embed in text', () => fragmentOf(embed()), 'type', '{"widget":"w"}', [0, 0], null],
  ['a map instead of an element', () => fragmentOf(new Y.Map()), 'type', 'Map', [0], null],
  [
    'nesting that overflows the stack',
    () => fragmentOf(nested(maxDepth + 1)),
    'depth',
    'paragraph',
    new Array(maxDepth + 1).fill(0),
    null,
  ],
]

describe('findUnknown', () => {
  it.each(cases)('reports %s', (_title, make, kind, name, path) => {
    const fragment = make()
    let updates = 0
    fragment.doc?.on('update', () => updates++)
    expect(findUnknown(fragment)).toMatchObject([{ kind, name, path }])
    expect(() => readNode(fragment).check()).not.toThrow()
    expect(updates).toBe(0)
  })

  it.each(cases.filter(([, , , , , lost]) => lost !== null))(
    'reports what y-tiptap deletes: %s',
    (_title, make, _kind, _name, _path, lost) => {
      const fragment = make()
      expect(fragment.toString()).toContain(lost)
      bindAndType(fragment)
      expect(fragment.toString()).not.toContain(lost)
    },
  )

  it.each(cases.filter(([, , kind, name]) => kind === 'type' && !name.startsWith('{')))(
    'reports what y-tiptap throws on: %s',
    (_title, make) => {
      expect(() => bindAndType(make())).toThrow()
    },
  )

  it('reports embeds, whose text y-tiptap loses with the next edit', () => {
    const fragment = fragmentOf(embed())
    const view = bind(fragment)
    view.dispatch(view.state.tr.insertText('!', 1))
    const text = (fragment.get(0) as Y.XmlElement).get(0) as Y.XmlText
    expect(text.toDelta()).toEqual([{ insert: '!' }, { insert: { widget: 'w' } }])
  })

  it('reports nesting on which y-tiptap overflows the stack', () => {
    const fragment = fragmentOf(element('blockquote'))
    fragment.doc?.transact(() => {
      let inner = fragment.get(0) as Y.XmlElement
      for (let level = 0; level < 4000; level++) {
        inner.insert(0, [element('blockquote')])
        inner = inner.get(0) as Y.XmlElement
      }
    })
    expect(findUnknown(fragment)).toMatchObject([{ kind: 'depth' }])
    expect(() => bindAndType(fragment)).toThrow(/call stack/)
  })

  it('reports attributes that y-tiptap removes when their element is edited', () => {
    const fragment = fragmentOf(element('paragraph', { textAlign: 'right' }, [text('a')]))
    const view = bind(fragment)
    view.dispatch(view.state.tr.insertText('b', 1))
    expect(fragment.toString()).toBe('<paragraph>ba</paragraph>')
  })

  it('reports blocks at the top level that the document cannot hold', () => {
    const make = () => fragmentOf(element('listItem', {}, [paragraph('item')]), paragraph('a'))
    expect(findUnknown(make())).toMatchObject([{ kind: 'content', name: 'doc', path: [] }])
    const fragment = make()
    bindAndType(fragment)
    expect(fragment.toString()).not.toContain('listItem><paragraph>a')
    expect(fragment.get(0)).not.toHaveProperty('nodeName', 'listItem')
  })

  it('does not report an empty shell, which y-tiptap rightly deletes', () => {
    const make = () =>
      fragmentOf(
        paragraph('a'),
        element('bulletList'),
        element('table', {}, []),
        element('bulletList', {}, [element('listItem')]),
      )
    expect(findUnknown(make())).toEqual([])
    const fragment = make()
    bindAndType(fragment)
    expect(fragment.toString()).toBe('<paragraph>a</paragraph><paragraph>typed</paragraph>')
    expect(readNode(make()).toString()).toBe('doc(paragraph("a"))')
  })

  it('does not report what every editor writes: all nodes, all marks, code in links, an empty document', () => {
    expect(findUnknown(fragmentOf())).toEqual([])
    expect(readNode(fragmentOf()).toString()).toBe('doc(paragraph)')
    const all = fragmentOf(
      element('heading', { level: 2 }, [text('h', { code: {}, link: { href: 'x', target: null }, bold: {} })]),
      element('taskList', {}, [
        element('taskItem', { checked: true }, [
          paragraph('t'),
          element('bulletList', {}, [element('listItem', {}, [element('paragraph')])]),
        ]),
      ]),
      element('orderedList', { start: 3 }, [
        element('listItem', {}, [paragraph('o'), element('codeBlock', { language: 'js' }, [text('x\ny')])]),
      ]),
      element('table', {}, [
        element('tableRow', {}, [element('tableHeader', { colspan: 2, align: 'right' }, [paragraph('c')])]),
      ]),
      element('image', { src: 'x', alt: 'y' }),
      element('horizontalRule'),
      element('paragraph', {}, [text('a'), element('hardBreak'), text('', {})]),
    )
    const before = all.toString()
    expect(findUnknown(all)).toEqual([])
    expect(bindAndType(all).childCount).toBe(8)
    expect(all.toString()).toContain(before.slice(0, -'<paragraph>a<hardbreak></hardbreak></paragraph>'.length))
  })

  it('reads the same document as y-tiptap', () => {
    expect(getSchema(extensions).nodes.doc?.name).toBe('doc')
    const fragment = fragmentOf(paragraph('a'), element('blockquote', {}, [paragraph('b')]))
    const read = readNode(fragment)
    const bound = bindAndType(fragment)
    expect(bound.cut(0, read.content.size).eq(read)).toBe(true)
  })
})

describe('createUnknownFinder', () => {
  it(
    'finds after every transaction what findUnknown finds',
    () => {
      fc.assert(
        fc.property(arbitraryDocument, fc.array(fc.tuple(fc.nat(), fc.nat(5)), { maxLength: 20 }), (doc, steps) => {
          const fragment = fragmentOf()
          replaceDocument(fragment, doc)
          const find = createUnknownFinder(fragment)
          expect(find()).toEqual([])
          fragment.doc?.on('beforeObserverCalls', (transaction: Y.Transaction) => {
            expect(find(transaction)).toEqual(findUnknown(fragment))
          })
          for (const [place, kind] of steps) {
            const all: Y.XmlFragment[] = [fragment]
            for (const parent of all) {
              for (const child of parent.toArray()) if (child instanceof Y.XmlElement) all.push(child)
            }
            const target = all[place % all.length] ?? fragment
            const child: unknown = target.length > 0 ? target.get(place % target.length) : null
            if (kind === 0) target.insert(0, [element('callout')])
            else if (kind === 1) target.insert(target.length, [paragraph('added')])
            else if (kind === 2 && child) target.delete(place % target.length, 1)
            else if (kind === 3 && child instanceof Y.XmlText) child.format(0, child.length, { highlight: {} })
            else if (kind === 4 && child instanceof Y.XmlText) child.insert(0, 'x')
            else if (target instanceof Y.XmlElement) target.setAttribute('textAlign', 'right')
          }
        }),
        { numRuns: rounds.documentPairs, ...seed },
      )
    },
    longTimeoutMs,
  )
})
