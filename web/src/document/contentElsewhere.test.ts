import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { contentElsewhere } from './contentElsewhere.ts'

/** What a page finds that opens the document, and asks for its own text alone. */
function found(write: (ydoc: Y.Doc) => void) {
  const [written, opened] = [new Y.Doc(), new Y.Doc()]
  write(written)
  Y.applyUpdate(opened, Y.encodeStateAsUpdate(written))
  opened.getXmlFragment('default')
  return contentElsewhere(opened)
}

const paragraph = (text: string) => {
  const element = new Y.XmlElement('paragraph')
  element.insert(0, [new Y.XmlText(text)])
  return element
}

describe('what a document holds outside of its text', () => {
  it('is found where another application has its text, whatever type that is', () => {
    expect(found(ydoc => ydoc.getXmlFragment('prosemirror').insert(0, [paragraph('one')]))).toEqual({
      isText: true,
      names: ['prosemirror'],
    })
    expect(found(ydoc => ydoc.getText('quill').insert(0, 'one', { bold: true }))).toEqual({
      isText: true,
      names: ['quill'],
    })
    expect(found(ydoc => ydoc.get('root', Y.XmlText).insertEmbed(0, new Y.XmlText('one')))).toEqual({
      isText: true,
      names: ['root'],
    })
  })

  it('is found in lists and maps, which are named only where no text is', () => {
    const board = (ydoc: Y.Doc) => {
      ydoc.getArray('shapes').push([{ x: 1 }])
      ydoc.getMap('meta').set('zoom', 2)
    }
    expect(found(board)).toEqual({ isText: false, names: ['shapes', 'meta'] })
    const both = (ydoc: Y.Doc) => {
      board(ydoc)
      ydoc.getText('codemirror').insert(0, 'one')
    }
    expect(found(both)).toEqual({ isText: true, names: ['codemirror'] })
    expect(found(ydoc => ydoc.getMap('default').set('zoom', 2))).toEqual({ isText: false, names: ['default'] })
  })

  it('is nothing in a new document, in one with this page’s text alone, and where all was deleted', () => {
    expect(found(() => {})).toBeNull()
    expect(found(ydoc => ydoc.getXmlFragment('default').insert(0, [paragraph('one')]))).toBeNull()
    const emptied = (ydoc: Y.Doc) => {
      const text = ydoc.getText('quill')
      text.insert(0, 'one two')
      text.format(0, 3, { bold: true })
      text.delete(0, 7)
      ydoc.getMap('meta').set('zoom', 2)
      ydoc.getMap('meta').delete('zoom')
    }
    expect(found(emptied)).toBeNull()
  })
})
