import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import {
  append,
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

  it('makes one transaction of each change', () => {
    const document = documentWith('# Plan')
    let count = 0
    document.ydoc.on('update', () => count++)
    append(document, 'a\n\nb\n\n- c\n- d')
    expect(count).toBe(1)
  })
})
