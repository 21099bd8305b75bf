import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { rounds, roundsTimeoutMs } from '../../../test/rounds.ts'
import { ScriptedServer } from '../test/ScriptedServer.ts'
import { connect } from './connect.ts'
import {
  append,
  changes,
  edit,
  fragmentOf,
  insertAfterHeading,
  replaceDocument,
  replaceText,
  type TextChange,
  textOf,
} from './text.ts'

interface Replica {
  readonly ydoc: Y.Doc
  readonly awareness: Awareness
}

const names = ['Ann', 'Bo', 'Cy']

/** Replicas of one document who see each other. */
function replicas(count: number, markdown = ''): Replica[] {
  const all = Array.from({ length: count }, (_, index) => {
    const ydoc = new Y.Doc()
    const awareness = new Awareness(ydoc)
    awareness.setLocalState({ user: { name: names[index], color: '#0f766e' } })
    return { ydoc, awareness }
  })
  const [first] = all
  if (first && markdown !== '') append(first, markdown)
  for (const one of all) {
    for (const other of all) {
      if (one !== other) send(one, other)
      applyAwarenessUpdate(other.awareness, encodeAwarenessUpdate(one.awareness, [one.ydoc.clientID]), 'test')
    }
  }
  return all
}

function send(from: Replica, to: Replica): void {
  Y.applyUpdate(to.ydoc, Y.encodeStateAsUpdate(from.ydoc, Y.encodeStateVector(to.ydoc)))
}

function apply(text: string, { at, deleted, inserted }: TextChange): string {
  expect(text.slice(at, at + deleted.length)).toBe(deleted)
  return text.slice(0, at) + inserted + text.slice(at + deleted.length)
}

async function take(iterator: AsyncIterator<TextChange>, count: number): Promise<TextChange[]> {
  const taken: TextChange[] = []
  while (taken.length < count) {
    const { value, done } = await iterator.next()
    if (done) break
    taken.push(value)
  }
  return taken
}

/** Resolves `settled` or `waiting`, once whatever can go on has gone on. */
async function stateOf(promise: Promise<unknown>): Promise<string> {
  let state = 'waiting'
  const settle = () => {
    state = 'settled'
  }
  promise.then(settle, settle)
  await new Promise(resolve => setImmediate(resolve))
  return state
}

describe('changes', () => {
  it('gives what was inserted and deleted, where, and by whom', async () => {
    const [ann, bo] = replicas(2, '# Plan\n\nWe meet on Friday.') as [Replica, Replica]
    const followed = changes(ann)
    replaceText(bo, 'meet', 'shall meet')
    send(bo, ann)
    append(ann, 'Bye.')
    const self = { clientID: ann.ydoc.clientID, user: { name: 'Ann', color: '#0f766e' }, isLocal: true }
    const other = { clientID: bo.ydoc.clientID, user: { name: 'Bo', color: '#0f766e' }, isLocal: false }
    expect(await take(followed, 2)).toEqual([
      { at: 8, deleted: '', inserted: 'shall ', insertedBy: other, deletedBy: null },
      { at: 29, deleted: '', inserted: '\nBye.', insertedBy: self, deletedBy: null },
    ])
  })

  it('says who deleted only where that is certain: this client itself, and nobody else in the meantime', async () => {
    const [ann, bo] = replicas(2, 'one two three') as [Replica, Replica]
    const followed = changes(ann)
    replaceText(ann, 'two ', '')
    expect(await take(followed, 1)).toMatchObject([{ at: 4, deleted: 'two ', deletedBy: { isLocal: true } }])
    replaceText(bo, 'three', '')
    send(bo, ann)
    expect(await take(followed, 1)).toMatchObject([{ at: 4, deleted: 'three', deletedBy: null }])
    append(ann, 'a\n\nb')
    await take(followed, 1)
    send(ann, bo)
    replaceText(ann, 'a', '')
    replaceText(bo, 'b', '')
    send(bo, ann)
    expect(await take(followed, 2)).toMatchObject([{ deletedBy: null }, { deletedBy: null }])
    // What this program takes in within a transaction of its own is not its own.
    send(ann, bo)
    replaceText(bo, 'one', 'two')
    ann.ydoc.transact(() => send(bo, ann))
    expect(await take(followed, 1)).toMatchObject([{ insertedBy: { user: { name: 'Bo' } }, deletedBy: null }])
  })

  it('knows the name of who wrote and has left since, and of whom it has never seen none', async () => {
    const [ann, bo, cy] = replicas(3, 'text') as [Replica, Replica, Replica]
    const followed = changes(ann)
    removeAwarenessStates(ann.awareness, [cy.ydoc.clientID], 'test')
    append(bo, 'from Bo')
    append(cy, 'from Cy')
    send(bo, ann)
    send(cy, ann)
    removeAwarenessStates(ann.awareness, [bo.ydoc.clientID], 'test')
    const written = new Map((await take(followed, 2)).map(({ inserted, insertedBy }) => [inserted, insertedBy]))
    expect(written.get('\nfrom Bo')).toMatchObject({ clientID: bo.ydoc.clientID, user: { name: 'Bo' } })
    expect(written.get('\nfrom Cy')).toEqual({ clientID: cy.ydoc.clientID, user: null, isLocal: false })
  })

  it('shows what came while nobody asked as one difference', async () => {
    const [ann] = replicas(1, 'text') as [Replica]
    const followed = changes(ann)
    for (let round = 0; round < 1_000; round++) {
      replaceText(ann, { from: 0, to: round === 0 ? 4 : 3 }, String(100 + (round % 900)))
    }
    append(ann, 'gone')
    replaceText(ann, 'gone', 'end')
    expect(await take(followed, 1)).toMatchObject([{ at: 0, deleted: 'text', inserted: '199\nend' }])
    expect(await stateOf(followed.next())).toBe('waiting')
  })

  it('gives each of several their own, and what is asked for at once in order', async () => {
    const [ann] = replicas(1) as [Replica]
    const [slow, quick] = [changes(ann), changes(ann)]
    const asked = [quick.next(), quick.next()]
    append(ann, 'a')
    await asked[0]
    append(ann, 'b')
    expect(await Promise.all(asked)).toMatchObject([{ value: { inserted: 'a' } }, { value: { inserted: '\nb' } }])
    await quick.return?.()
    expect(await quick.next()).toEqual({ done: true, value: undefined })
    expect(await take(slow, 1)).toMatchObject([{ inserted: 'a\nb' }])
  })

  it('is no change where only the form is another one', async () => {
    const [ann] = replicas(1, 'one two\n\nthree') as [Replica]
    const followed = changes(ann)
    const next = followed.next()
    replaceDocument(ann, '# one **two**\n\n- three')
    expect(await stateOf(next)).toBe('waiting')
    edit(ann, tr => tr.split(4))
    expect(await next).toMatchObject({ value: { at: 3, deleted: '', inserted: '\n' } })
  })

  it('may be asked in the middle of a transaction', async () => {
    const [ann] = replicas(1, 'one') as [Replica]
    const followed = changes(ann)
    let next: Promise<unknown> = Promise.resolve()
    append(ann, 'two')
    ann.ydoc.transact(() => {
      replaceText(ann, 'one', '1')
      next = followed.next()
      replaceText(ann, 'two', '2')
    })
    expect(await next).toMatchObject({ value: { at: 0, deleted: 'one', inserted: '1\n2' } })
    append(ann, 'three')
    expect(await take(followed, 1)).toMatchObject([{ at: 3, inserted: '\nthree' }])
  })

  it('goes without awareness, and works on a document that another program holds', async () => {
    const ydoc = new Y.Doc()
    const followed = changes({ ydoc })
    append({ ydoc }, 'a')
    expect(await take(followed, 1)).toEqual([
      {
        at: 0,
        deleted: '',
        inserted: 'a',
        insertedBy: { clientID: ydoc.clientID, user: null, isLocal: true },
        deletedBy: null,
      },
    ])
    append({ ydoc }, 'b')
    ydoc.destroy()
    expect(await take(followed, 9)).toMatchObject([{ inserted: '\nb' }])
    expect(await changes({ ydoc }).next()).toMatchObject({ done: true })
  })

  describe('ends', () => {
    it('at once by its signal', async () => {
      const [ann] = replicas(1) as [Replica]
      const stop = new AbortController()
      const followed = changes(ann, { signal: stop.signal })
      const next = followed.next()
      expect(await stateOf(next)).toBe('waiting')
      append(ann, 'a')
      stop.abort()
      expect(await next).toEqual({ done: true, value: undefined })
      expect(await changes(ann, { signal: stop.signal }).next()).toMatchObject({ done: true })
    })

    it('by break, and then listens no more', async () => {
      const [ann] = replicas(1) as [Replica]
      const followed = changes(ann)
      append(ann, 'a\n\nb')
      append(ann, 'c')
      const listeners = ann.ydoc._observers.get('afterTransaction')?.size ?? 0
      for await (const { inserted } of followed) {
        expect(inserted).toBe('a\nb\nc')
        break
      }
      expect(ann.ydoc._observers.get('afterTransaction')?.size ?? 0).toBe(listeners - 1)
      expect(await followed.next()).toMatchObject({ done: true })
    })

    describe('with a connected document', () => {
      let server: ScriptedServer
      beforeAll(async () => {
        server = await ScriptedServer.start()
      })
      afterAll(() => server.stop())

      it('when that is closed, after the last change', async () => {
        const ydoc = new Y.Doc()
        const doc = await connect(server.url(), { ydoc, user: { name: 'Ann', color: '#0f766e' } })
        const [waiting, late] = [changes(doc), changes(doc)]
        const all: TextChange[] = []
        const read = (async () => {
          for await (const change of waiting) all.push(change)
        })()
        append(doc, 'a')
        await doc.saved()
        append(doc, 'b')
        await doc.close()
        // The `Y.Doc` lives on: this is not the document's any more.
        append({ ydoc }, 'c')
        await read
        expect(all.map(({ inserted }) => inserted)).toEqual(['a', '\nb'])
        expect(await take(late, 9)).toMatchObject([{ inserted: 'a\nb', insertedBy: { user: { name: 'Ann' } } }])
        expect(await changes(doc).next()).toMatchObject({ done: true })
      })
    })
  })

  it(
    'gives the new text from the old one, however slowly it is read',
    async () => {
      const words = ['one', 'two three', '# Title\n\nbelow', '- a\n- b', '**bold** and `code`', 'x', '> quote', '1. n']
      const operation = fc.record({ who: fc.nat(1), kind: fc.nat(9), a: fc.nat(), b: fc.nat(20) })
      const seed = process.env.WEFT_TEST_SEED ? { seed: Number(process.env.WEFT_TEST_SEED) } : {}
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 40 }), async operations => {
          const both = replicas(2, 'Hello\n\n# Title\n\nworld of words') as [Replica, Replica]
          const [mine] = both
          const followed = changes(mine)
          let text = textOf(mine)
          /** There is a change where the text is another one. */
          const read = async (count: number) => {
            for (let left = count; left > 0 && text !== textOf(mine); left--) {
              const { value } = await followed.next()
              text = apply(text, value as TextChange)
            }
          }
          for (const { who, kind, a, b } of operations) {
            const one = both[who] as Replica
            const word = words[a % words.length] ?? ''
            const length = textOf(one).length
            const at = length > 0 ? a % length : 0
            if (kind === 0) append(one, word)
            else if (kind === 1)
              replaceDocument(one, `${word}\n\n${textOf(one).slice(0, 200).replaceAll('\n', '\n\n')}`)
            else if (kind === 2) insertAfterHeadingIfAny(one, word)
            else if (kind <= 4) replaceText(one, { from: at, to: Math.min(length, at + b) }, word.slice(0, 3))
            else if (kind === 5) {
              edit(one, tr => {
                const place = a % (tr.doc.content.size + 1)
                tr.deleteRange(place, Math.min(tr.doc.content.size, place + b))
              })
            } else if (kind === 6) send(one, one === mine ? both[1] : mine)
            else if (kind === 7) fragmentOf(one).delete(0, Math.min(1, fragmentOf(one).length))
            else await read(kind === 8 ? 1 : 100)
          }
          await read(10_000)
          expect(text).toBe(textOf(mine))
          await followed.return?.()
          for (const { awareness } of both) awareness.destroy()
        }),
        { numRuns: rounds.followedTexts, ...seed },
      )
    },
    roundsTimeoutMs,
  )
})

function insertAfterHeadingIfAny(document: Replica, markdown: string): void {
  if (textOf(document).split('\n').includes('Title')) {
    try {
      insertAfterHeading(document, 'Title', markdown)
    } catch (error) {
      expect(error).toMatchObject({ code: 'HEADING_NOT_FOUND' })
    }
  }
}
