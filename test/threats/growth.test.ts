import { connect } from '@weft/client'
import { append } from '@weft/client/text'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { eventually } from '../support/eventually.ts'
import { RawClient } from '../support/RawClient.ts'
import { sharedServer } from '../support/testServer.ts'
import { textOf, typist } from '../support/typist.ts'

const KiB = 1024

const server = sharedServer({
  WEFT_WARN_DOCUMENT_BYTES: `${16 * KiB}`,
  WEFT_MAX_DOCUMENT_BYTES: `${64 * KiB}`,
  WEFT_MAX_DOCUMENT_CLIENTS: '10',
})

describe('[threat D3] a document that grows', () => {
  it('is warned of, then can only be read and shortened, and is written again when it is smaller', async () => {
    const url = `${server().socketUrl}/grows`
    const document = await connect(url)
    onTestFinished(() => document.close().catch(() => {}))
    const sizes: string[] = []
    document.on('size', ({ state }) => sizes.push(state))
    const ann = typist(1)
    const writer = await RawClient.join(url)
    await writer.commit(ann.type('x'.repeat(20 * KiB)), 1)
    await eventually('the warning', () => sizes.length === 1)
    expect([sizes, document.access, document.size?.limitBytes]).toEqual([['large'], 'read-write', 64 * KiB])
    await eventually('a word in the log', () => server().output.includes('near its size limit'))

    await writer.commit(ann.type('y'.repeat(40 * KiB)), 2)
    // What is too much is refused in its session, which stays.
    writer.update(ann.type('z'.repeat(10 * KiB)))
    expect((await writer.next('permissionDenied')).reason).toMatch(/^too-large: .* 65536 bytes/)
    await eventually('the news', () => document.access === 'read-only')
    expect([sizes, writer.isOpen]).toEqual([['large', 'full'], true])
    // Whoever comes now reads it.
    const late = await RawClient.join(url)
    const seen = late.received.map(message => (message.type === 'update' ? message.update : null))
    expect(textOf(...seen).length).toBe(60 * KiB)
    late.cut()

    // What only deletes is taken: else nobody could make room.
    const editor = await RawClient.join(url)
    const replica = new Y.Doc()
    for (const update of seen) if (update !== null) Y.applyUpdate(replica, update)
    replica.once('update', (update: Uint8Array) => editor.update(update))
    replica.getText('text').delete(0, 55 * KiB)
    await eventually('room again', () => document.access === 'read-write')
    expect(sizes.at(-1)).not.toBe('full')
    append(document, 'and on it goes')
    await document.saved()
    // What was refused is asked for again.
    await writer.next('syncStep1')
    writer.answer(Y.encodeStateAsUpdate(ann.doc))
    await eventually('what was refused', () => document.ydoc.getText('text').toString().includes('zzz'))
  })

  it('is closed to who goes on writing all the same: 4413', async () => {
    const url = `${server().socketUrl}/full`
    const ann = typist(1)
    const [writer, reader] = [await RawClient.join(url), await RawClient.join(url)]
    await writer.commit(ann.type('x'.repeat(60 * KiB)), 1)
    for (let i = 0; i < 102; i++) writer.update(ann.type('y'.repeat(6 * KiB)))
    expect(await writer.closed).toEqual({ code: 4413, reason: expect.stringMatching(/^too-large: /) })
    expect(reader.isOpen).toBe(true)
  })

  it('takes the client ids that it may have, and no more', async () => {
    const url = `${server().socketUrl}/clients`
    const writer = await RawClient.join(url)
    for (let clientID = 1; clientID <= 10; clientID++) await writer.commit(typist(clientID).type('x'), clientID)
    writer.update(typist(11).type('x'))
    await writer.next('permissionDenied')
    expect(writer.isOpen).toBe(true)
    // Those whom it has go on.
    const other = await RawClient.join(url)
    const ann = typist(10)
    ann.type('x')
    await other.commit(ann.type('y'), 1)
  })
})
