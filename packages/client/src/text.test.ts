import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import {
  append,
  edit,
  fragmentOf,
  insertAfterHeading,
  replaceDocument,
  replaceText,
  textOf,
  toHTML,
  toJSON,
  toMarkdown,
} from './text.ts'

function documentWith(markdown: string): { ydoc: Y.Doc } {
  const document = { ydoc: new Y.Doc() }
  append(document, markdown)
  return document
}

describe('text', () => {
  it('reads a document as text, Markdown, HTML and JSON', () => {
    const document = documentWith('# Plan\n\nBuy **milk**.')
    expect(textOf(document)).toBe('Plan\nBuy milk.')
    expect(toMarkdown(document).trim()).toBe('# Plan\n\nBuy **milk**.')
    expect(toHTML(document)).toBe('<h1>Plan</h1><p>Buy <strong>milk</strong>.</p>')
    expect(toJSON(document)).toMatchObject({ type: 'doc', content: [{ type: 'heading' }, { type: 'paragraph' }] })
  })

  it('adds Markdown at the end and below a heading', () => {
    const document = documentWith('# Plan\n\nlast')
    expect(append(document, '- one\n- two')).toBe(2)
    expect(insertAfterHeading(document, 'Plan', 'first')).toBe(1)
    expect(textOf(document)).toBe('Plan\nfirst\nlast\none\ntwo')
    expect(() => insertAfterHeading(document, 'Nothing', 'x')).toThrow('no heading "Nothing"')
  })

  it('replaces text and keeps its formatting', () => {
    const document = documentWith('We ship on **Friday**.')
    replaceText(document, 'Friday', 'Monday')
    expect(toMarkdown(document).trim()).toBe('We ship on **Monday**.')
  })

  it('replaces the whole with the least change', () => {
    const document = documentWith('# Plan\n\nkeep\n\nold')
    const kept = fragmentOf(document).get(1)
    replaceDocument(document, '# Plan\n\nkeep\n\nnew')
    expect(textOf(document)).toBe('Plan\nkeep\nnew')
    expect(fragmentOf(document).get(1)).toBe(kept)
  })

  it('edits by a ProseMirror transform, as one step of an undo manager', () => {
    const document = documentWith('# Plan\n\nWe ship on teh day.')
    const undo = new Y.UndoManager(fragmentOf(document), { captureTimeout: 0 })
    const isChanged = edit(document, tr => {
      const { schema } = tr.doc.type
      tr.replaceWith(18, 21, schema.text('the', [schema.mark('bold')]))
      tr.insert(0, schema.node('paragraph', null, schema.text('Draft')))
    })
    expect(isChanged).toBe(true)
    expect(toMarkdown(document).trim()).toBe('Draft\n\n# Plan\n\nWe ship on **the** day.')
    expect(edit(document, () => {})).toBe(false)
    edit(document, tr => tr.delete(1, 3), { origin: 'untracked' })
    undo.undo()
    expect(textOf(document)).toBe('Plan\nWe ship on teh day.')
    expect(undo.undoStack).toEqual([])
  })

  it('refuses an edit of what it would lose, and changes nothing when the callback throws', () => {
    const document = documentWith('a')
    const mistake = new Error('mine')
    const change = () =>
      edit(document, tr => {
        tr.delete(1, 2)
        throw mistake
      })
    expect(change).toThrow(mistake)
    fragmentOf(document).insert(0, [new Y.XmlElement('callout')])
    expect(() => edit(document, tr => tr.delete(1, 2))).toThrow('node callout')
    expect(textOf(document)).toBe('a')
  })

  it('makes one transaction of each change', () => {
    const document = documentWith('# Plan')
    let count = 0
    document.ydoc.on('update', () => count++)
    append(document, 'a\n\nb\n\n- c\n- d')
    expect(count).toBe(1)
  })
})
