import { append, fragmentOf, replaceDocument, replaceText } from '@weft/client/text'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { type Caret, caretAfter } from './caretAfter.ts'

/** What stands before the caret, in its text. */
function textBefore(ydoc: Y.Doc, change: () => void): string | null {
  let caret: Caret | null = null
  const follow: Parameters<Y.XmlFragment['observeDeep']>[0] = events => {
    caret = caretAfter(events)
  }
  fragmentOf({ ydoc }).observeDeep(follow)
  ydoc.transact(change)
  fragmentOf({ ydoc }).unobserveDeep(follow)
  if (caret === null) return null
  // As it goes through awareness.
  const { head } = JSON.parse(JSON.stringify(caret))
  const place = Y.createAbsolutePositionFromRelativePosition(Y.createRelativePositionFromJSON(head), ydoc)
  if (!(place?.type instanceof Y.XmlText)) return null
  const text: { insert: string }[] = place.type.toDelta()
  return text
    .map(({ insert }) => insert)
    .join('')
    .slice(0, place.index)
}

describe('the caret after a change', () => {
  const document = () => {
    const ydoc = new Y.Doc()
    append({ ydoc }, 'One two.\n\nThree.')
    return ydoc
  }

  it('stands behind what was written, and where something was deleted', () => {
    const ydoc = document()
    expect(textBefore(ydoc, () => replaceText({ ydoc }, 'two', 'five'))).toBe('One five')
    expect(textBefore(ydoc, () => replaceText({ ydoc }, ' five', ''))).toBe('One')
    expect(textBefore(ydoc, () => append({ ydoc }, '- item\n- last *one*, then'))).toBe('last one, then')
  })

  it('is the last of several, and none where there is no text', () => {
    const ydoc = document()
    expect(textBefore(ydoc, () => replaceDocument({ ydoc }, 'One two.\n\nThree.\n\nNew.\n\n---'))).toBe('New.')
    expect(textBefore(ydoc, () => append({ ydoc }, '---'))).toBeNull()
    expect(textBefore(ydoc, () => {})).toBeNull()
  })
})
