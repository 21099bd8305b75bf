import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { fromJSON, toJSON } from './json.ts'

describe('fromJSON', () => {
  const doc = (...content: object[]) => ({ type: 'doc', content })

  it('takes what toJSON gives', () => {
    expect(toJSON(new Y.Doc().getXmlFragment('default'))).toEqual(doc({ type: 'paragraph' }))
    const json = doc({
      type: 'heading',
      attrs: { level: 3 },
      content: [{ type: 'text', text: 'a', marks: [{ type: 'bold' }] }],
    })
    expect(fromJSON(json).toJSON()).toEqual(json)
  })

  it.each([
    ['an unknown node', doc({ type: 'callout' }), /callout/],
    [
      'an unknown mark',
      doc({ type: 'paragraph', content: [{ type: 'text', text: 'a', marks: [{ type: 'blink' }] }] }),
      /blink/,
    ],
    ['invalid content', doc({ type: 'bulletList', content: [{ type: 'paragraph' }] }), /bulletList/],
    ['an empty document', { type: 'doc' }, /doc/],
    [
      'an invalid attribute',
      doc({ type: 'heading', attrs: { level: 9 } }),
      /heading\.level must be an integer from 1 to 6, not 9/,
    ],
    [
      'an invalid attribute of a mark',
      doc({ type: 'paragraph', content: [{ type: 'text', text: 'a', marks: [{ type: 'link', attrs: { href: 5 } }] }] }),
      /link\.href/,
    ],
    ['what is not JSON of a node', 'text', /not a document/],
    ['nothing', null, /not a document/],
  ])('refuses %s', (_title, json, message) => {
    expect(() => fromJSON(json)).toThrow(message)
    expect(() => fromJSON(json)).toThrow(RangeError)
  })
})
