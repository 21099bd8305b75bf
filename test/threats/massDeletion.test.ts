import { connect } from '@weft/client'
import { append } from '@weft/client/text'
import { encodeAnnounce, encodeEditor } from '@weft/protocol'
import { SCHEMA_VERSION } from '@weft/schema/version'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/freePort.ts'
import { RawClient, updateOf } from '../support/RawClient.ts'
import type { ServerProcess } from '../support/ServerProcess.ts'
import { eagerCompaction, testServer } from '../support/testServer.ts'
import { asksForTokens, tokenFor } from '../support/tokens.ts'
import { textOf, typist } from '../support/typist.ts'

const TEXT = 'All that they wrote in a year. '.repeat(100)

/** The text of a part, as anybody gets it over HTTP who may read the document; null where there is none. */
async function partOf(server: ServerProcess, name: string, part: string): Promise<string | null> {
  const response = await fetch(`${server.url}/api/v1/documents/${name}?part=${part}&format=yjs`)
  return response.status === 200 ? textOf(new Uint8Array(await response.arrayBuffer())) : null
}

describe('[threat D4] a commit that deletes most of a document', () => {
  it('is taken and passed on, flagged, and the state before is kept, over compactions and a restart', async () => {
    const metricsPort = await freePort()
    const server = await testServer({ ...eagerCompaction, WEFT_METRICS_PORT: `${metricsPort}` })
    const url = `${server.socketUrl}/book`
    const ann = typist(1)
    const [writer, reader] = [await RawClient.join(url), await RawClient.join(url)]
    await writer.commit(ann.type(TEXT), 1)
    await reader.next('update')
    expect(await partOf(server, 'book', 'before-1')).toBeNull()

    await writer.commit(ann.erase(0, TEXT.length - 10), 2)
    await reader.next('update')
    expect(textOf(...reader.received.map(updateOf))).toBe(TEXT.slice(-10))
    await eventually('the state before', async () => (await partOf(server, 'book', 'before-1')) === TEXT)
    await eventually('a word in the log', () => server.output.includes('most of the document was deleted at once'))
    const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
    expect(metrics).toMatch(/^weft_mass_deletions_total 1$/mu)

    const facts = await (await fetch(`${server.url}/api/v1/metadata?document=book`)).json()
    expect(facts).toMatchObject({ size: 'fine', maxBytes: 64 << 20, massDeletions: [{ keptAs: 'before-1' }] })
    expect(Math.abs(Date.now() - Date.parse(facts.massDeletions[0].at))).toBeLessThan(600_000)
    expect(facts.structs).toBeGreaterThan(0)

    for (let i = 3; i < 40; i++) await writer.commit(ann.type(`word ${i} `), i)
    await server.stop()
    await server.start()
    expect(await partOf(server, 'book', 'before-1')).toBe(TEXT)
    // Nobody writes there.
    const part = await fetch(`${server.url}/api/v1/documents/book?part=before-1`, {
      method: 'PUT',
      headers: { 'Content-Type': 'text/markdown', 'X-Requested-With': 'test' },
      body: 'something else',
    })
    expect(part.status).toBeGreaterThanOrEqual(400)
    const intruder = await RawClient.join(`${server.socketUrl}/book?part=before-1`)
    intruder.update(typist(9).type('x'))
    await intruder.next('permissionDenied')
    expect(await partOf(server, 'book', 'before-1')).toBe(TEXT)
  })

  it('leaves a state that nobody reads who may only read the document now, nor comment on it', async () => {
    const server = await testServer(asksForTokens)
    const editor = await tokenFor('editor')
    const writer = await RawClient.join(`${server.socketUrl}/secret?token=${editor}`)
    const ann = typist(1)
    await writer.commit(ann.type(TEXT), 1)
    await writer.commit(ann.erase(0, TEXT.length), 2)
    const read = async (token: string) => {
      const path = `${server.url}/api/v1/documents/secret?part=before-1&format=yjs`
      return (await fetch(path, { headers: { Authorization: `Bearer ${token}` } })).status
    }
    await eventually('the state before', async () => (await read(editor)) === 200)
    for (const role of ['viewer', 'commenter']) {
      const token = await tokenFor(role)
      expect(await read(token)).toBe(403)
      const client = await RawClient.connect(`${server.socketUrl}/secret?part=before-1&token=${token}`)
      client.ask()
      expect(await client.closed).toMatchObject({ code: 4403 })
    }
  })

  it('happens again and again, and the first states stay', async () => {
    const server = await testServer()
    const url = `${server.socketUrl}/again`
    const ann = typist(1)
    const writer = await RawClient.join(url)
    for (let round = 1; round <= 5; round++) {
      await writer.commit(ann.type(`${round}`.repeat(2000)), 2 * round)
      await writer.commit(ann.erase(0, 2000), 2 * round + 1)
      if (round <= 3) {
        await eventually(`state ${round}`, async () =>
          (await partOf(server, 'again', `before-${round}`))?.startsWith(`${round}`),
        )
      }
    }
    await eventually('a word about the rest', () => server.output.includes('are young'))
    for (let round = 1; round <= 3; round++) {
      expect(await partOf(server, 'again', `before-${round}`)).toBe(`${round}`.repeat(2000))
    }
  })

  it('is undone with two requests', async () => {
    const server = await testServer()
    const path = `${server.url}/api/v1/documents/back`
    const put = (type: string, body: string) =>
      fetch(path, { method: 'PUT', headers: { 'Content-Type': type, 'X-Requested-With': 'test' }, body })
    const markdown = async () => (await fetch(path)).text()
    await put('text/markdown', `# Book\n\n${TEXT}`)
    const before = await markdown()
    await put('text/markdown', 'Oops')
    const kept = await eventually('the state before', async () => {
      const response = await fetch(`${path}?part=before-1&format=json`)
      return response.status === 200 && response.text()
    })
    expect((await put('application/json', kept)).status).toBe(200)
    expect(await markdown()).toBe(before)
    // Nobody writes in what is kept.
    const merge = await fetch(`${path}?part=before-1`, {
      method: 'PATCH',
      headers: { 'Content-Type': 'application/octet-stream', 'X-Requested-With': 'test' },
      body: new Uint8Array(typist(9).type('x')),
    })
    expect(merge.status).toBe(403)
  })

  it('is none where people delete what they have just written, a page, or what was deleted before', async () => {
    const server = await testServer()
    const url = `${server.socketUrl}/calm`
    const ann = typist(1)
    const writer = await RawClient.join(url)
    await writer.commit(ann.type(TEXT), 1)
    await writer.commit(ann.type('x'.repeat(900)), 2)
    await writer.commit(ann.erase(TEXT.length, 900), 3)
    await writer.commit(ann.erase(0, 1000), 4)
    // A replica that was away sends its whole delete set.
    const other = await RawClient.join(url, Y.encodeStateVector(ann.doc), Y.encodeStateAsUpdate(ann.doc))
    await other.commit(ann.type('!'), 5)
    expect(server.output).not.toContain('deleted at once')
  })
})

describe('[threat D4] an editor that tells of which version it is', () => {
  it('only shows documents where the server’s is newer, and writes comments; no other client is asked', async () => {
    const server = await testServer()
    const url = `${server.socketUrl}/upgraded`
    const open = async (path: string, schemaVersion: number) => {
      const client = await RawClient.join(path)
      client.send(encodeAnnounce())
      client.send(encodeEditor(schemaVersion))
      return client
    }
    const lastAccess = (client: RawClient) => client.received.findLast(message => message.type === 'access')
    const old = await open(url, SCHEMA_VERSION - 1)
    expect(await old.next('editor')).toMatchObject({ schemaVersion: SCHEMA_VERSION })
    await eventually('the news', () => lastAccess(old)?.access === 'read-only')
    old.update(typist(1).type('lost'))
    expect((await old.next('permissionDenied')).reason).toMatch(/^forbidden: this editor is older/)
    const comments = await open(`${url}?part=comments`, SCHEMA_VERSION - 1)
    await comments.commit(typist(2).type('A comment.'))
    const young = await open(url, SCHEMA_VERSION)
    await young.commit(typist(3).type('kept'))
    const bot = await RawClient.join(url)
    await bot.commit(typist(4).type('kept, too'))
    // It is loaded anew.
    old.send(encodeEditor(SCHEMA_VERSION))
    await eventually('the news', () => lastAccess(old)?.access === 'read-write')
  })

  it('knows by its document that it is too old', async () => {
    const server = await testServer()
    const url = `${server.socketUrl}/upgraded`
    const [old, young] = [
      await connect(url, { schemaVersion: 0 }),
      await connect(url, { schemaVersion: SCHEMA_VERSION }),
    ]
    onTestFinished(async () => {
      for (const document of [old, young]) await document.close({ saved: false })
    })
    await eventually('the news', () => old.access === 'read-only')
    expect([old.isOutdated, young.isOutdated, young.access]).toEqual([true, false, 'read-write'])
    append(young, 'from a page that is new')
    await young.saved()
  })
})
