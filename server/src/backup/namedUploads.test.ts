import type { DocumentId } from '@weft/protocol'
import { expect, it } from 'vitest'
import * as Y from 'yjs'
import { namedUploads } from './namedUploads.ts'

const file = (digit: string, type = 'png') => `${digit.repeat(64)}.${type}`
const path = (name: string, digit: string) => `/api/v1/documents/${name}/uploads/${file(digit)}`

it('a document’s own files are found wherever it names them, and what it has deleted isn’t', () => {
  const doc = new Y.Doc({ gc: false })
  const fragment = doc.getXmlFragment('default')
  const image = (src: string) => {
    const element = new Y.XmlElement('image')
    element.setAttribute('src', src)
    fragment.push([element])
    return element
  }
  image(path('team/%C3%BC', '1'))
  image(path('team/%C3%BC', '2')).setAttribute('src', path('team/%C3%BC', '3'))
  image(path('team/%C3%BC', '4'))
  fragment.delete(2, 1)
  const text = new Y.XmlText()
  fragment.push([text])
  text.insert(0, 'a link', { link: { href: path('team/%C3%BC', '5') } })
  text.insertEmbed(0, { deep: [{ src: path('team/ü', '6') }] })
  doc.getMap('map').set('cover', [path('team/%C3%BC', '7')])
  for (const other of [
    path('other', '8'),
    path('team/%FF', '8'),
    `https://elsewhere.example${path('team/%C3%BC', '8')}`,
    path('team/%C3%BC', '8').replace('.png', '.exe'),
    'https://elsewhere.example/x.png',
  ]) {
    image(other)
  }
  const found = namedUploads(doc, 'team/ü' as DocumentId)
  expect([...found].sort()).toEqual(['1', '3', '5', '6', '7'].map(digit => file(digit)))
})
