import { encodeSyncStep1 } from '@weft/protocol'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { Random } from '../crdt/Random.ts'
import { api } from '../support/apiClient.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/freePort.ts'
import { NO_UPDATE, RawClient, updateOf } from '../support/RawClient.ts'
import { RawProvider } from '../support/RawProvider.ts'
import { listStored } from '../support/storedDocument.ts'
import { sharedServer, testServer } from '../support/testServer.ts'
import { textOf, typist } from '../support/typist.ts'

describe('[threat D2] documents that nobody writes', () => {
  it('are not there afterwards, whoever asked for them and how', async () => {
    const metricsPort = await freePort()
    const server = await testServer({ WEFT_IDLE_DOCUMENT_SECONDS: '1', WEFT_METRICS_PORT: String(metricsPort) })
    const rooms = async () =>
      Number(/^weft_rooms (\d+)$/m.exec(await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text())?.[1])
    const provider = await RawProvider.connect(server, 'asked by a provider 0')
    for (let i = 0; i < 50; i++) {
      const client = await RawClient.join(`${server.socketUrl}/asked ${i}`)
      client.awareness(1, 1, { name: 'Ann' })
      client.update(NO_UPDATE)
      provider.send(encodeSyncStep1(Uint8Array.of(0)), `asked by a provider ${i}`)
      expect((await api(server, 'GET', `/api/v1/documents/asked%20over%20HTTP%20${i}`)).status).toBe(404)
      await client.next('awareness')
      client.cut()
    }
    await provider.hears('step 2')
    provider.cut()
    // Nor in memory, once nobody is there.
    await eventually('no document in memory', async () => (await rooms()) === 0)
    await server.stop()
    expect(await listStored(server.folder)).toEqual([])
  })
})

describe('[threat D6] a document that is let go as soon as nobody is there', () => {
  const running = sharedServer({ WEFT_IDLE_DOCUMENT_SECONDS: '0', WEFT_TAIL_ENTRIES: '10', WEFT_TAIL_BYTES: '1024' })

  it('has all that was acknowledged, whenever somebody comes and goes', async () => {
    const seed = Date.now() % 2 ** 31
    const random = new Random(seed)
    const acknowledged: string[] = []
    const visit = async (clientID: number) => {
      const person = typist(clientID)
      for (let round = 0; round < 8; round++) {
        const client = await RawClient.join(`${running().socketUrl}/busy`, undefined, Y.encodeStateAsUpdate(person.doc))
        // What others have shows that nothing of it was lost meanwhile: it is never less than what was acknowledged.
        const before = [...acknowledged]
        const late = await RawClient.join(`${running().socketUrl}/busy`)
        const text = textOf(...late.received.map(updateOf))
        expect([seed, before.filter(word => !text.includes(word))]).toEqual([seed, []])
        late.cut()
        const word = `<${clientID}.${round}>`
        client.update(person.type(word))
        if (random.chance(0.3)) {
          // Left before it is said that it is kept: it is kept all the same, or comes with the next visit.
          await client.leave()
          continue
        }
        client.askAck(round)
        await client.nextAck(round)
        acknowledged.push(word)
        if (random.chance(0.5)) client.cut()
        else await client.leave()
      }
    }
    await Promise.all([1, 2, 3, 4].map(visit))
    expect(acknowledged.length).toBeGreaterThan(8)
  })
})

describe('[threat D1] a name in Hocuspocus’ dialect', () => {
  const running = sharedServer()
  const names: Record<string, string> = {
    nothing: '',
    'an empty segment': 'a//b',
    'a dot segment': 'a/../b',
    'a control character': 'a\u0001b',
    'a part that is none': 'a\u001fother',
    'a part of a part': 'a\u001fcomments\u001fcomments',
    'a backslash': 'a\\b',
    'a character that reorders text': 'a\u202eb',
    'a form that is not NFC': 'e\u0301',
    '256 bytes': 'x'.repeat(256),
  }

  it('that breaks a rule is denied, and its neighbours on the socket go on', async () => {
    for (const [what, name] of Object.entries(names)) {
      if (name === '') continue
      const provider = await RawProvider.connect(running(), name)
      provider.send(encodeSyncStep1(Uint8Array.of(0)))
      await provider.hears('denied')
      expect([what, provider.texts[0]]).toEqual([what, expect.stringMatching(/^bad-name: /)])
      provider.send(encodeSyncStep1(Uint8Array.of(0)), 'fine')
      await eventually('a good name beside it', () => provider.heard.some(heard => heard.startsWith('elsewhere')))
    }
  })

  it('is one document, however much another one begins like it', async () => {
    const near = ['a', 'a/b', 'a/b/c', 'A', 'a ', 'ab', 'a%2Fb', '__proto__', 'constructor', 'toString']
    for (const [index, name] of near.entries()) {
      const client = await RawClient.join(`${running().socketUrl}/${encodeURIComponent(name)}`)
      expect([name, textOf(...client.received.map(updateOf))]).toEqual([name, ''])
      await client.commit(typist(index + 1).type(name))
    }
    for (const name of near) {
      const client = await RawClient.join(`${running().socketUrl}/${encodeURIComponent(name)}`)
      expect(textOf(...client.received.map(updateOf))).toBe(name)
    }
  })
})
