import * as Y from 'yjs'
import type { Random } from './Random.ts'

/** The root types of the documents that random tests edit, defined before anything is applied. */
export function createDocument(clientID: number, gc = true): Y.Doc {
  const doc = new Y.Doc({ gc })
  doc.clientID = clientID
  doc.getText('text')
  doc.getXmlFragment('xml')
  doc.getArray('array')
  doc.getMap('map')
  return doc
}

const WORDS = [
  'a',
  'b',
  'hello',
  ' ',
  'é',
  'Grüße',
  '€',
  '漢字',
  '🦊',
  '👩‍👩‍👧',
  '\u0000',
  '\ufeffx',
  '\\"',
  'x'.repeat(40),
]
const KEYS = ['k', 'l', 'title', '__proto__', 'ключ', '']
/** Not `__proto__`, which lib0 can't carry as a key of a value. */
const VALUE_KEYS = ['a', 'title', 'ключ', '']
const MARKS = ['bold', 'italic', 'link', 'comment']

/** One random transaction on any of the root types. */
export function editRandomly(doc: Y.Doc, random: Random): void {
  doc.transact(() => {
    for (let count = 1 + random.below(3); count > 0; count--) {
      const edit = random.pick([editText, editText, editXml, editXml, editArray, editMap])
      edit(doc, random)
    }
  })
}

function editText(doc: Y.Doc, random: Random): void {
  changeText(doc.getText('text'), random)
}

function changeText(text: Y.Text, random: Random): void {
  const at = random.below(text.length + 1)
  const length = random.below(Math.min(text.length - at, 8) + 1)
  const choice = random.below(7)
  if (choice < 3) text.insert(at, random.pick(WORDS))
  else if (choice === 3) text.insert(at, random.pick(WORDS), { [random.pick(MARKS)]: randomJson(random, 2) as object })
  else if (choice === 4) text.delete(at, length)
  else if (choice === 5) text.format(at, length, { [random.pick(MARKS)]: random.pick([true, null, { href: 'x' }]) })
  else text.insertEmbed(at, { image: randomJson(random, 2) })
}

function editXml(doc: Y.Doc, random: Random): void {
  let node: Y.XmlFragment | Y.XmlElement | Y.XmlText = doc.getXmlFragment('xml')
  while (node instanceof Y.XmlFragment && node.length > 0 && random.chance(0.6)) {
    const child: unknown = node.get(random.below(node.length))
    if (!(child instanceof Y.XmlElement || child instanceof Y.XmlText)) break
    node = child
  }
  if (node instanceof Y.XmlText) changeText(node, random)
  else if (node instanceof Y.XmlElement && random.chance(0.4)) changeAttribute(node, random)
  else changeChildren(node, random)
}

function changeAttribute(element: Y.XmlElement, random: Random): void {
  const key = random.pick(KEYS)
  const choice = random.below(5)
  if (choice === 0) element.removeAttribute(key)
  else if (choice === 1) setAttributeAsString(element, key, random.pick(WORDS))
  else element.setAttribute(key, randomAny(random, 2) as string)
}

/** As yrs before 0.20 sets an attribute, for Python and Rust: one struct of as many operations as there are characters. */
function setAttributeAsString(element: Y.XmlElement, key: string, value: string): void {
  const { doc } = element
  if (doc === null) throw new TypeError('the element is in no document')
  doc.transact(transaction => {
    const left = element._map.get(key) ?? null
    const id = Y.createID(doc.clientID, Y.getState(doc.store, doc.clientID))
    const item = new Y.Item(id, left, left?.lastId ?? null, null, null, element, key, new Y.ContentString(value))
    item.integrate(transaction, 0)
  })
}

function changeChildren(node: Y.XmlFragment, random: Random): void {
  const at = random.below(node.length + 1)
  if (random.chance(0.2) && node.length > at) {
    node.delete(at, 1)
  } else if (random.chance(0.4)) {
    node.insert(at, [new Y.XmlText(random.pick(WORDS))])
  } else {
    const element = new Y.XmlElement(random.pick(['paragraph', 'table', 'h-1']))
    element.setAttribute('level', '1')
    element.insert(0, [new Y.XmlText(random.pick(WORDS))])
    node.insert(at, [element])
  }
}

function editArray(doc: Y.Doc, random: Random): void {
  const array = doc.getArray('array')
  const at = random.below(array.length + 1)
  if (random.chance(0.25) && array.length > at) {
    array.delete(at, 1 + random.below(array.length - at))
    return
  }
  const values: unknown[] = []
  for (let count = random.below(4); count >= 0; count--) values.push(randomValue(random))
  array.insert(at, values)
}

function editMap(doc: Y.Doc, random: Random): void {
  let map = doc.getMap('map')
  for (const value of map.values()) if (value instanceof Y.Map && random.chance(0.3)) map = value
  const key = random.pick(KEYS)
  if (random.chance(0.2)) map.delete(key)
  else map.set(key, randomValue(random) as string)
}

/** Something that can stand in a shared array or map. */
function randomValue(random: Random): unknown {
  switch (random.below(9)) {
    case 0:
      return new Y.Map([[random.pick(KEYS), randomAny(random, 2) as string]])
    case 1:
      return Y.Array.from([randomAny(random, 1) as string])
    case 2:
      return new Y.Text(random.pick(WORDS))
    case 3: {
      const options = random.pick([{}, { autoLoad: true }, { gc: false }, { meta: { size: 3 } }])
      return new Y.Doc({ guid: `subdocument-${random.below(1000)}`, ...options })
    }
    case 4:
      return new Y.XmlElement('nested')
    default:
      return randomAny(random, 3)
  }
}

function randomAny(random: Random, depth: number): unknown {
  switch (random.below(depth > 0 ? 10 : 8)) {
    case 0:
      return random.below(2 ** 31) - 2 ** 30
    case 1:
      return random.next()
    case 2:
      return Math.fround(random.next())
    case 3:
      return random.pick(WORDS)
    case 4:
      return random.chance(0.5)
    case 5:
      return null
    case 6:
      return Uint8Array.of(1, 2, random.below(256))
    case 7:
      return random.below(100)
    case 8: {
      // What only lies within other values: Yjs doesn't take it in an array itself.
      const rare = random.pick([undefined, BigInt(random.below(1000))])
      return { [random.pick(VALUE_KEYS)]: randomAny(random, depth - 1), rare }
    }
    default:
      return [randomAny(random, depth - 1), randomAny(random, depth - 1)]
  }
}

function randomJson(random: Random, depth: number): unknown {
  switch (random.below(depth > 0 ? 7 : 5)) {
    case 0:
      return random.below(1000) - 500.5
    case 1:
      return random.pick(WORDS)
    case 2:
      return true
    case 3:
      return '\ud800 alone'
    case 4:
      return 1e300 * random.next()
    case 5:
      return { [random.pick(KEYS)]: randomJson(random, depth - 1), b: null }
    default:
      return [randomJson(random, depth - 1), randomJson(random, depth - 1)]
  }
}
