import { getSchema } from '@tiptap/core'
import { EditorState, TextSelection, type Transaction } from '@tiptap/pm/state'
import { ProsemirrorBinding, ySyncPlugin } from '@tiptap/y-tiptap'
import { extensions, FRAGMENT_NAME } from '@weft/schema'
import { expect, it, vi } from 'vitest'
import * as Y from 'yjs'
import { type Binding, superviseBinding } from './superviseBinding.ts'

function paragraph(text: string): Y.XmlElement {
  const element = new Y.XmlElement('paragraph')
  element.insert(0, text === '' ? [] : [new Y.XmlText(text)])
  return element
}

/** A document with `texts` as paragraphs, bound to an editor's state, its caret in paragraph `caretIn`. */
function bound(texts: string[], caretIn: number, offset = 0) {
  const fragment = new Y.Doc().getXmlFragment(FRAGMENT_NAME)
  fragment.insert(0, texts.map(paragraph))
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
  let position = 1 + offset
  for (let index = 0; index < caretIn; index++) position += view.state.doc.child(index).nodeSize
  view.dispatch(view.state.tr.setSelection(TextSelection.create(view.state.doc, position)))
  return {
    fragment,
    view,
    binding: binding as unknown as Binding,
    caretParagraph: () => view.state.selection.$head.index(0),
  }
}

/** Somebody else types in paragraph `index`, key by key. */
function typeRemotely(fragment: Y.XmlFragment, index: number, text: string, offset = 0): void {
  const other = new Y.Doc()
  Y.applyUpdate(other, Y.encodeStateAsUpdate(fragment.doc as Y.Doc))
  const element = other.getXmlFragment(FRAGMENT_NAME).get(index) as Y.XmlElement
  if (element.length === 0) element.insert(0, [new Y.XmlText()])
  for (const [key, character] of [...text].entries()) {
    const inner = element.get(0) as Y.XmlText
    inner.insert(offset + key, character)
    Y.applyUpdate(fragment.doc as Y.Doc, Y.encodeStateAsUpdate(other), 'network')
  }
}

it('keeps the caret in its empty paragraph when somebody else writes there', () => {
  const { fragment, binding, caretParagraph } = bound(['one', '', 'two', '', 'end'], 1)
  superviseBinding(binding, error => {
    throw error
  })
  typeRemotely(fragment, 1, 'hello')
  expect(caretParagraph()).toBe(1)
})

it('would lose it to another empty paragraph without that', () => {
  const { fragment, caretParagraph } = bound(['one', '', 'two', '', 'end'], 1)
  typeRemotely(fragment, 1, 'hello')
  expect(caretParagraph()).toBe(3)
})

it('keeps the caret where it is when somebody else writes at the same place', () => {
  for (const [texts, offset] of [
    [[''], 0],
    [['one'], 3],
    [['one'], 1],
    [['one'], 0],
  ] as const) {
    const { fragment, binding, view } = bound([...texts], 0, offset)
    superviseBinding(binding, error => {
      throw error
    })
    typeRemotely(fragment, 0, 'hello', offset)
    expect(view.state.selection.$head.parentOffset).toBe(offset)
    expect(view.state.doc.textContent).toHaveLength((texts[0]?.length ?? 0) + 5)
  }
})

it('keeps a selection to what was selected', () => {
  const { fragment, binding, view } = bound(['one two three'], 0)
  superviseBinding(binding, error => {
    throw error
  })
  view.dispatch(view.state.tr.setSelection(TextSelection.create(view.state.doc, 5, 8)))
  typeRemotely(fragment, 0, 'x', 4)
  typeRemotely(fragment, 0, 'y', 8)
  const { from, to } = view.state.selection
  expect(view.state.doc.textBetween(from, to)).toBe('two')
  expect(view.state.doc.textContent).toBe('one xtwoy three')
})

it('shows the change although a kept position is out of the text', () => {
  const { fragment, view, binding } = bound(['one', '', 'two'], 1)
  superviseBinding(binding, error => {
    throw error
  })
  fragment.doc?.on('beforeObserverCalls', () => {
    if (binding.beforeTransactionSelection) binding.beforeTransactionSelection.absHead = 10_000
  })
  typeRemotely(fragment, 1, 'hello')
  expect(view.state.doc.textContent).toBe('onehellotwo')
})

it('draws the whole text where a change can’t be drawn, and reports the failure of that', () => {
  const { fragment, view, binding } = bound(['one', ''], 0)
  const failures: unknown[] = []
  superviseBinding(binding, error => failures.push(error))
  vi.spyOn(console, 'warn').mockImplementation(() => {})
  const { dispatch } = view
  let failing = 1
  view.dispatch = transaction => {
    if (failing-- > 0) throw new Error('on purpose')
    dispatch(transaction)
  }
  typeRemotely(fragment, 1, 'hello')
  expect(view.state.doc.textContent).toBe('onehello')
  expect(failures).toEqual([])
  failing = 2
  typeRemotely(fragment, 0, 'again ')
  expect(failures).toHaveLength(1)
  vi.restoreAllMocks()
})
