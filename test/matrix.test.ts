import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import * as Y from 'yjs'
import { eventually } from './support/eventually.ts'
import { ALONE_MS, type LoneClients, leaveAlone } from './support/loneClients.ts'
import { documentOf, listStored, readStored } from './support/storedDocument.ts'
import { sharedServer, testServer } from './support/testServer.ts'
import { asksForTokens, nowInSeconds, sign, tokenFor } from './support/tokens.ts'
import { clientKinds, counterpartOf, type UnmodifiedClient } from './support/unmodifiedClients.ts'

// One row per version of a client, unmodified. What takes 70 s begins before the others, and is looked at after them.

const running = sharedServer()
let lone: LoneClients | null = null
beforeAll(async () => {
  lone = await leaveAlone(running())
})
afterAll(() => lone?.end())

/** Those who were left alone, after 70 s of it. */
async function afterTheWait(): Promise<LoneClients> {
  if (lone === null) throw new Error('nobody was left alone')
  await lone.waited
  return lone
}

const textIn = ({ doc }: Pick<UnmodifiedClient, 'doc'>): string => doc.getText('text').toString()

const type = (client: UnmodifiedClient, text: string): void =>
  client.doc.getText('text').insert(textIn(client).length, text)

/** Where somebody's caret is, as editors say it: bound to what stands there. */
function placeCaret(client: UnmodifiedClient, name: string, index: number): void {
  const head = Y.createRelativePositionFromTypeIndex(client.doc.getText('text'), index)
  client.awareness.setLocalState({ user: { name }, cursor: { anchor: head, head } })
}

/** Where this client sees another one's caret; null: nowhere. */
function caretOf(viewer: UnmodifiedClient, other: UnmodifiedClient): [name: string, index: number] | null {
  const state = viewer.awareness.getStates().get(other.doc.clientID)
  if (state?.cursor === undefined) return null
  const head = Y.createRelativePositionFromJSON(state.cursor.head)
  const position = Y.createAbsolutePositionFromRelativePosition(head, viewer.doc)
  return position === null ? null : [state.user.name, position.index]
}

describe.each(clientKinds)('$name', kind => {
  const other = counterpartOf(kind)

  it(`shares text and carets with ${other.name}, in documents of any name`, async () => {
    const server = running()
    for (const name of ['notes', 'team/a/notes', 'Grüße 日本語 👩‍👩‍👧'].map(name => `${name} ${kind.name}`)) {
      const [ann, bo, cy] = [kind.open(server, name), kind.open(server, name), other.open(server, name)]
      await Promise.all([ann, bo, cy].map(client => client.synced()))
      type(ann, 'ann ')
      await eventually('bo and cy to have it', () => textIn(bo) === 'ann ' && textIn(cy) === 'ann ')
      type(cy, 'cy ')
      bo.doc.getText('text').insert(0, 'bo ')
      for (const client of [ann, bo, cy])
        await eventually('everybody to have all', () => textIn(client) === 'bo ann cy ')
      const late = kind.open(server, name)
      await late.synced()
      expect(textIn(late)).toBe('bo ann cy ')
      await eventually('nothing to be unsynced', () => [ann, bo, cy].every(client => client.hasUnsynced !== true))

      placeCaret(ann, 'Ann', 3)
      placeCaret(cy, 'Cy', 7)
      await eventually('Cy to see Ann', () => caretOf(cy, ann)?.join() === 'Ann,3')
      await eventually('Ann to see Cy', () => caretOf(ann, cy)?.join() === 'Cy,7')
      // A caret moves with the text that it stands in.
      type(bo, '.')
      bo.doc.getText('text').insert(0, '> ')
      await eventually('Cy to see it there', () => caretOf(cy, ann)?.join() === 'Ann,5')
      await eventually('Ann to see it there', () => caretOf(ann, cy)?.join() === 'Cy,9')
      ann.destroy()
      await eventually('Ann to be gone', () => !cy.awareness.getStates().has(ann.doc.clientID))
    }
  })

  it('comes back after SIGKILL, with what it wrote offline', async () => {
    const server = await testServer()
    const [ann, cy] = [kind.open(server, 'a'), other.open(server, 'a')]
    await Promise.all([ann.synced(), cy.synced()])
    type(ann, 'before')
    await eventually('Cy to have it', () => textIn(cy) === 'before')
    await eventually('Ann to know', () => ann.hasUnsynced !== true)
    await server.kill()
    const areOffline = () => !ann.isSynced && !cy.isSynced
    // What others type before they notice, they send into the dead connection, and again later.
    if (kind.neverForgets) await eventually('both to be offline', areOffline)
    type(ann, ', offline')
    await eventually('both to be offline', areOffline)
    type(ann, ', still')
    cy.doc.getText('text').insert(0, 'too: ')
    await server.start()
    await eventually('both to have all', () =>
      [ann, cy].every(client => textIn(client) === 'too: before, offline, still' && client.isSynced),
    )
    await eventually('nothing to be unsynced', () => ann.hasUnsynced !== true && cy.hasUnsynced !== true)
    type(ann, '.')
    await eventually('Cy to have the last', () => textIn(cy).endsWith('still.'))
    await server.kill()
    expect(textIn({ doc: documentOf(await readStored(server.folder, 'a')) })).toBe('too: before, offline, still.')
  })

  it('with a viewer’s token reads, is seen, and writes nothing', async () => {
    // y-websocket's clients have no other way to say it; Hocuspocus' are told their scope.
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    onTestFinished(() => warn.mockRestore())
    const server = await testServer(asksForTokens)
    const cy = other.open(server, 'team/a', await tokenFor('editor', { sub: 'cy' }))
    await cy.synced()
    type(cy, 'hello')
    const vi1 = kind.open(server, 'team/a', await sign({ name: 'Vi', docs: [{ prefix: 'team/', role: 'viewer' }] }))
    await vi1.synced()
    await eventually('the text', () => textIn(vi1) === 'hello')
    expect(vi1.isReadOnly).toBe(kind.family === 'hocuspocus' ? true : null)
    placeCaret(vi1, 'Vi', 2)
    await eventually('Cy to see the reader', () => caretOf(cy, vi1)?.join() === 'Vi,2')
    await eventually('nothing to be unsynced', () => vi1.hasUnsynced !== true)
    for (const letter of 'mine') vi1.doc.getText('text').insert(0, letter)
    if (kind.family === 'y-websocket') {
      await eventually('it to be told', () => warn.mock.calls.flat().some(text => String(text).includes('forbidden: ')))
    }
    type(cy, ' there')
    await eventually('the reader to see it', () => textIn(vi1).endsWith('hello there'))
    expect(textIn(cy)).toBe('hello there')
    expect(vi1.hasUnsynced).toBe(kind.family === 'hocuspocus' ? true : null)
    expect(vi1.refusals).toEqual([])
    expect(vi1.isSynced).toBe(true)
    await server.kill()
    expect(textIn({ doc: documentOf(await readStored(server.folder, 'team/a')) })).toBe('hello there')
  })

  it('is refused without a token, with one that has expired, and with one for another document', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    onTestFinished(() => warn.mockRestore())
    const server = await testServer(asksForTokens)
    for (const [token, reason] of [
      [undefined, 'unauthorized: no token was given'],
      [await tokenFor('editor', { exp: nowInSeconds() - 60 }), 'unauthorized: the token has expired'],
      [
        await sign({ docs: [{ document: 'b', role: 'owner' }] }),
        'forbidden: the token gives no right to this document',
      ],
    ] as const) {
      const ann = kind.open(server, 'a', token)
      type(ann, 'x')
      await eventually(`the refusal ${reason}`, () => ann.refusals.length > 0)
      expect(ann.refusals[0]).toBe(reason)
      expect(ann.isSynced).toBe(false)
      ann.destroy()
    }
    await server.stop()
    expect(await listStored(server.folder)).toEqual([])
  })
})

describe('alone for 70 s', { timeout: ALONE_MS + 30_000 }, () => {
  it('an unmodified client of any version stays connected over one socket, whether it shows itself or not', async () => {
    const { unmodified } = await afterTheWait()
    expect(unmodified.map(({ name, change }) => [name, change()])).toEqual(unmodified.map(({ name }) => [name, null]))
  })

  it('who says nothing gets a data frame every 20 s, in either dialect, with and without a document', async () => {
    const { silent, frames } = await afterTheWait()
    for (const count of frames()) expect(count).toBeGreaterThanOrEqual(Math.floor(ALONE_MS / 20_000))
    expect(silent.map(({ isOpen }) => isOpen)).toEqual(silent.map(() => true))
  })

  it('[threat C5] who answers no ping is hung up on', async () => {
    const { mute } = await afterTheWait()
    expect(mute.isOpen).toBe(false)
    // Without a goodbye, which nobody would hear.
    expect(await mute.closed).toEqual({ code: 1006, reason: '' })
  })
})
