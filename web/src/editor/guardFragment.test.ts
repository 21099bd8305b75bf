import { getSchema } from '@tiptap/core'
import { EditorState, type Transaction } from '@tiptap/pm/state'
import { ProsemirrorBinding, ySyncPlugin, ySyncPluginKey } from '@tiptap/y-tiptap'
import { extensions, FRAGMENT_NAME, type Unknown } from '@weft/schema'
import { expect, it } from 'vitest'
import * as Y from 'yjs'
import { guardFragment } from './guardFragment.ts'

/** y-tiptap's own binding, over an editor's state without a screen. */
function bindTo(fragment: Y.XmlFragment) {
  const schema = getSchema(extensions)
  const view = {
    state: EditorState.create({ schema, plugins: [ySyncPlugin(fragment)] }),
    dispatch(transaction: Transaction) {
      view.state = view.state.apply(transaction)
    },
    hasFocus: () => false,
  }
  const binding = new ProsemirrorBinding(fragment)
  binding.initView(view)
  binding._forceRerender()
  return { binding, view }
}

function paragraph(text: string): Y.XmlElement {
  const element = new Y.XmlElement('paragraph')
  element.insert(0, [new Y.XmlText(text)])
  return element
}

/** A document here and the same one at somebody with a newer editor. */
function twoReplicas() {
  const here = new Y.Doc()
  const there = new Y.Doc()
  here.getXmlFragment(FRAGMENT_NAME).insert(0, [paragraph('before')])
  Y.applyUpdate(there, Y.encodeStateAsUpdate(here))
  const sync = () => {
    Y.applyUpdate(here, Y.encodeStateAsUpdate(there, Y.encodeStateVector(here)), 'network')
    Y.applyUpdate(there, Y.encodeStateAsUpdate(here, Y.encodeStateVector(there)), 'network')
  }
  return { here: here.getXmlFragment(FRAGMENT_NAME), there: there.getXmlFragment(FRAGMENT_NAME), sync }
}

const isOwn = (transaction: Y.Transaction) => transaction.origin === ySyncPluginKey

const unknownEdits: [string, (fragment: Y.XmlFragment) => void][] = [
  ['a node', fragment => fragment.push([new Y.XmlElement('mindmap')])],
  [
    'a mark',
    fragment => ((fragment.get(0) as Y.XmlElement).get(0) as Y.XmlText).format(0, 3, { spoiler: { level: 2 } }),
  ],
  [
    'a node inside a known one',
    fragment => {
      const quote = new Y.XmlElement('blockquote')
      quote.insert(0, [paragraph('said'), new Y.XmlElement('poll')])
      fragment.push([quote])
    },
  ],
]

for (const [what, edit] of unknownEdits) {
  it(`keeps ${what} that this version doesn't know: the editor is detached before it renders`, () => {
    const { here, there, sync } = twoReplicas()
    const { binding } = bindTo(here)
    const found: Unknown[][] = []
    guardFragment(here, isOwn, unknown => {
      binding.destroy()
      found.push(unknown)
    })
    edit(there)
    const expected = there.toJSON()
    sync()
    expect(found).toHaveLength(1)
    expect(here.toJSON()).toBe(expected)
    expect(there.toJSON()).toBe(expected)
  })

  it(`would lose ${what} without that, for everybody`, () => {
    const { here, there, sync } = twoReplicas()
    bindTo(here)
    edit(there)
    const expected = there.toJSON()
    sync()
    sync()
    expect(there.toJSON()).not.toBe(expected)
  })
}

it('lets known edits through to the editor', () => {
  const { here, there, sync } = twoReplicas()
  const { view } = bindTo(here)
  guardFragment(here, isOwn, unknown => expect(unknown).toEqual([]))
  there.push([paragraph('after')])
  sync()
  expect(view.state.doc.textContent).toBe('beforeafter')
})

it('says it once, and nothing after it was stopped', () => {
  const { here, there, sync } = twoReplicas()
  let count = 0
  const stop = guardFragment(here, isOwn, () => count++)
  there.push([new Y.XmlElement('mindmap')])
  sync()
  there.push([new Y.XmlElement('mindmap')])
  sync()
  expect(count).toBe(1)
  stop()
})
