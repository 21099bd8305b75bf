import { readFileSync } from 'node:fs'
import { connect } from '@weft/client'
import {
  type CloseName,
  closeCode,
  closeMeaning,
  decodeHocuspocusFrame,
  encodeAddress,
  encodeAuthenticated,
  encodeAuthenticationDenied,
  hocuspocusType,
  MalformedMessageError,
  messageType,
} from '@weft/protocol'
import { describe, expect, it, onTestFinished } from 'vitest'
import { eventually, within } from './support/eventually.ts'
import { Stranger } from './support/Stranger.ts'
import { stockClient } from './support/stockClient.ts'
import { documentOf, readStored } from './support/storedDocument.ts'
import { testServer } from './support/testServer.ts'

const source = readFileSync(new URL('./support/Stranger.ts', import.meta.url), 'utf8')
const document = readFileSync(new URL('../packages/protocol/PROTOCOL.md', import.meta.url), 'utf8')

function come(url: string): Stranger {
  const stranger = new Stranger(url)
  onTestFinished(() => stranger.leave())
  return stranger
}

describe('a stranger who has read PROTOCOL.md', () => {
  it('writes a client of under 200 lines, without a line of ours', () => {
    expect(source.split('\n').length).toBeLessThan(200)
    expect(source).not.toMatch(/from '(?:@weft|\.|lib0|y-protocols|y-websocket)/)
  })

  it('writes with others, sees them, is seen, and knows what is on disk', async () => {
    const server = await testServer()
    const stranger = come(`${server.socketUrl}/team/notes`)
    const stock = stockClient(3, server.socketUrl, 'team/notes')
    onTestFinished(() => stock.destroy())
    await stock.synced()
    await eventually('the stranger to be synced', () => stranger.isSynced)
    stranger.doc.getText('text').insert(0, 'hello ')
    await within('the stranger’s edit to be saved', stranger.saved())
    await eventually('the stock client to have it', () => stock.doc.getText('text').toString() === 'hello ')
    stock.doc.getText('text').insert(6, 'there')
    await eventually('the stranger to have all', () => stranger.doc.getText('text').toString() === 'hello there')
    stranger.show({ user: { name: 'Stranger' } })
    await eventually('the stranger to be seen', () =>
      [...stock.provider.awareness.getStates().values()].some(state => state.user?.name === 'Stranger'),
    )
    stock.provider.awareness.setLocalStateField('user', { name: 'Stock' })
    await eventually('the stranger to see', () => [...stranger.others.values()].some(json => json.includes('Stock')))
    stock.destroy()
    await eventually('the stranger to see it gone', () => stranger.others.size === 0)
  })

  it('comes back after SIGKILL with what it wrote meanwhile', async () => {
    const server = await testServer()
    const stranger = come(`${server.socketUrl}/a`)
    await eventually('the stranger to be synced', () => stranger.isSynced)
    stranger.doc.getText('text').insert(0, 'before ')
    await within('the first edit to be saved', stranger.saved())
    await server.kill()
    stranger.doc.getText('text').insert(7, 'meanwhile')
    await server.start()
    await within('the second edit to be saved', stranger.saved())
    await server.kill()
    expect(
      documentOf(await readStored(server.folder, 'a'))
        .getText('text')
        .toString(),
    ).toBe('before meanwhile')
  })

  it('exchanges messages with others, and knows whose they are', async () => {
    const server = await testServer()
    const stranger = come(`${server.socketUrl}/a`)
    stranger.show({ user: { name: 'Stranger' } })
    const ann = await connect(`${server.socketUrl}/a`)
    onTestFinished(() => ann.close({ saved: false }))
    await eventually('the stranger to be seen', () => ann.awareness.getStates().has(stranger.doc.clientID))
    const heard: unknown[] = []
    ann.on('message', message => heard.push(message))
    await ann.send('grüß dich')
    await eventually('the stranger to hear', () => stranger.heard.length > 0)
    expect(stranger.heard).toEqual([{ from: ann.ydoc.clientID, payload: 'grüß dich' }])
    stranger.say('hello')
    await eventually('an answer', () => heard.length > 0)
    expect(heard).toEqual([{ from: stranger.doc.clientID, payload: 'hello' }])
  })

  it('stays away when told so', async () => {
    const server = await testServer()
    const stranger = come(`${server.socketUrl}/a//b`)
    await eventually('the end', () => stranger.final !== null)
    expect(stranger.final).toBe(closeCode.badName.code)
  })
})

describe('PROTOCOL.md', () => {
  interface Row {
    readonly type: number
    readonly name: string
    readonly body: string
    readonly direction: string
  }

  /** Rows of a table of messages, one for each type: `0, 1 | sync, awareness` are two. */
  function messagesIn(section: string): Row[] {
    const lines = section.split('\n').filter(line => /^\| \d/.test(line))
    return lines.flatMap(line => {
      const [types = '', names = '', body = '', direction = ''] = line.slice(2, -2).split(' | ')
      const all = names.split(', ')
      return types.split(', ').map((type, i) => ({ type: Number(type), name: all[i] ?? '', body, direction }))
    })
  }

  /** `type name`, as the code has them. */
  const namesIn = (rows: readonly Row[]): string[] =>
    [...new Set(rows.map(({ type, name }) => `${type} ${name}`))].sort()
  const namesOf = (types: Readonly<Record<string, number>>, words: Readonly<Record<string, readonly string[]>> = {}) =>
    Object.entries(types)
      .flatMap(([key, type]) => (words[key] ?? [spaced(key)]).map(name => `${type} ${name}`))
      .sort()
  const spaced = (name: string) => name.replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`)

  const sectionOf = (title: string) => document.split(`\n## ${title}\n`)[1]?.split('\n## ')[0] ?? ''
  const messages = messagesIn(sectionOf('Messages') + sectionOf('Many documents over one socket'))
  const dialect = sectionOf("Hocuspocus' dialect")
  const hocuspocus = messagesIn(dialect)

  it('has every message that the code has, by number and name, and no other', () => {
    // An announcement is an ephemeral message without a body.
    const words = { ack: ['acknowledgement'], ephemeral: ['announcement', 'ephemeral'], closed: ['closed', 'leave'] }
    expect(namesIn(messages)).toEqual(namesOf(messageType, words))
    const { ping, pong, ...framed } = hocuspocusType
    expect(namesIn(hocuspocus)).toEqual(namesOf(framed))
    const hex = (value: number) => value.toString(16).padStart(2, '0')
    expect(dialect).toContain(`ping, pong   = ${hex(ping)}, ${hex(pong)}:`)
  })

  it('says which of Hocuspocus’ messages come from the client, and how auth is told apart', () => {
    const said = (row: Row) => row.direction !== 'from the server'
    for (const { type } of hocuspocus) {
      expect([type, hocuspocus.some(row => row.type === type && said(row))]).toEqual([type, isReadByServer(type)])
    }
    const auth = hocuspocus.filter(({ name }) => name === 'auth')
    const kindsOf = (rows: readonly Row[]) =>
      rows.flatMap(({ body }) => [...body.matchAll(/varUint\((\d)\)/g)].map(([, kind]) => Number(kind)))
    const token = (kind: number) => Buffer.concat([encodeAddress('a'), Uint8Array.of(hocuspocusType.auth, kind, 0)])
    const asked = kindsOf(auth.filter(said)).map(kind => decodeHocuspocusFrame(token(kind)).message.type)
    expect(asked).toEqual(['token'])
    expect(kindsOf(auth.filter(row => !said(row)))).toEqual([
      encodeAuthenticationDenied('')[1],
      encodeAuthenticated(true)[1],
    ])
  })

  /** Whether a type means something to the server: it is more than passed over, if only refused for want of a body. */
  function isReadByServer(type: number): boolean {
    try {
      return decodeHocuspocusFrame(Buffer.concat([encodeAddress('a'), Uint8Array.of(type)])).message.type !== 'unknown'
    } catch (error) {
      return error instanceof MalformedMessageError
    }
  }

  it('has every close code, and what a client does on each', () => {
    const rows = document.slice(document.indexOf('## Close codes'))
    for (const [name, { meaning, action }] of Object.entries(closeMeaning)) {
      const { code, word } = closeCode[name as CloseName]
      expect(rows).toContain(`| ${code} | \`${word}\` | ${meaning} | ${action} |`)
    }
    expect(rows.match(/^\| \d/gm)?.length).toBe(Object.values(closeCode).length)
  })
})
