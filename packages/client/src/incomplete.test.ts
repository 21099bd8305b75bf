import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { ScriptedServer } from '../test/ScriptedServer.ts'
import { type ConnectOptions, connect } from './connect.ts'
import type { WeftDocument } from './WeftDocument.ts'

let server: ScriptedServer
const open: WeftDocument[] = []

beforeEach(async () => {
  server = await ScriptedServer.start()
})

afterEach(async () => {
  for (const document of open.splice(0)) await document.close({ saved: false })
  await server.stop()
})

async function connected(options: ConnectOptions = {}): Promise<WeftDocument> {
  const document = await connect(server.url(), { random: () => 0, ...options })
  open.push(document)
  return document
}

/** Two edits of somebody: the second builds upon the first. */
function twoEdits(): [Uint8Array, Uint8Array] {
  const updates: Uint8Array[] = []
  const ydoc = new Y.Doc()
  ydoc.on('update', update => updates.push(update))
  ydoc.getText('t').insert(0, 'a')
  ydoc.getText('t').insert(1, 'b')
  return [updates[0] as Uint8Array, updates[1] as Uint8Array]
}

/** The next thing that a document says of its completeness. */
function next(document: WeftDocument): Promise<boolean> {
  return new Promise(resolve => document.once('incomplete', resolve))
}

describe('an update without its predecessor', () => {
  it('is asked for, and nobody need know where the server has it', async () => {
    const [first, second] = twoEdits()
    const document = await connected()
    const told: boolean[] = []
    document.on('incomplete', isIncomplete => told.push(isIncomplete))
    // The server has both, and one was lost on its way.
    Y.applyUpdate(server.ydoc, first)
    Y.applyUpdate(server.ydoc, second)
    const connection = await server.connection(0)
    connection.update(second)
    await connection.frame('step1', 1)
    while (document.ydoc.getText('t').toString() !== 'ab') {
      await new Promise(resolve => document.ydoc.once('update', resolve))
    }
    expect([document.isIncomplete, told]).toEqual([false, []])
  })

  it('is reported where the server doesn’t have it either, and shown when somebody brings it', async () => {
    const [first, second] = twoEdits()
    const document = await connected()
    const connection = await server.connection(0)
    const told = next(document)
    connection.update(second)
    expect(await told).toBe(true)
    expect([document.isIncomplete, document.status]).toEqual([true, 'synced'])
    const cured = next(document)
    connection.update(first)
    expect(await cured).toBe(false)
    expect(document.ydoc.getText('t').toString()).toBe('ab')
  })

  it('in a store is asked for at each connection, and is not lost', async () => {
    const [first, second] = twoEdits()
    const ydoc = new Y.Doc()
    Y.applyUpdate(ydoc, second)
    const document = await connected({ ydoc })
    expect(document.isIncomplete).toBe(true)
    const cured = next(document)
    document.disconnect()
    Y.applyUpdate(server.ydoc, first)
    document.reconnect()
    expect(await cured).toBe(false)
    expect(document.ydoc.getText('t').toString()).toBe('ab')
  })
})
