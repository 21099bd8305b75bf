import { request } from 'node:https'
import type { LookupFunction } from 'node:net'
import { append, textOf } from '@weft/client/text'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { isLong } from './rounds.ts'
import { browserWindows } from './support/browserWindows.ts'
import type { EditorWindow } from './support/EditorWindow.ts'
import { eventually, within } from './support/eventually.ts'
import { freePort } from './support/freePort.ts'
import { type HocuspocusClient, hocuspocusSocket } from './support/hocuspocusClient.ts'
import { certificate, type ProxyKind, ProxyProcess, proxyKinds } from './support/ProxyProcess.ts'
import { RawClient } from './support/RawClient.ts'
import type { ServerProcess } from './support/ServerProcess.ts'
import { type StockClient, stockClient } from './support/stockClient.ts'
import { testFolder, testServer } from './support/testServer.ts'
import { typist } from './support/typist.ts'

const windows = browserWindows()

const lookup: LookupFunction = (_host, { all }, found) =>
  all === true ? found(null, [{ address: '127.0.0.1', family: 4 }]) : found(null, '127.0.0.1', 4)
/** The host is this machine, and the certificate one of ours. */
const reach = { lookup, ca: certificate }

interface Behind {
  readonly server: ServerProcess
  readonly proxy: ProxyProcess
  /** `example.org:port` */
  readonly host: string
  /** `wss://example.org:port/weft` */
  readonly socketUrl: string
  /** `https://example.org:port/weft` */
  readonly url: string
  /** Opens a window there. */
  window(expectsNetworkFailures?: boolean): Promise<EditorWindow>
  stock(room: string): StockClient
  hocuspocus(name: string): HocuspocusClient
  /** Asks by HTTP. */
  get(path: string): Promise<{ status: number | undefined; location: string | undefined; body: string }>
}

/** Weft behind a proxy, as the configuration's first lines say it is started. */
async function behind(kind: ProxyKind, env: Record<string, string> = {}): Promise<Behind> {
  const port = await freePort()
  const host = `example.org:${port}`
  const url = `https://${host}/weft`
  const socketUrl = `wss://${host}/weft`
  const server = await testServer({ WEFT_PUBLIC_URL: url, WEFT_TRUSTED_PROXIES: '127.0.0.1', ...env })
  const proxy = await ProxyProcess.start(kind, await testFolder(), port, server.port)
  onTestFinished(async ({ task }) => {
    await proxy.stop()
    if (task.result?.state === 'fail') process.stderr.write(`${kind} said:\n${proxy.output}\n`)
  })
  return {
    server,
    proxy,
    host,
    socketUrl,
    url,
    window: expectsNetworkFailures =>
      windows.open(url, { ignoreHTTPSErrors: true, expectsNetworkFailures: expectsNetworkFailures ?? false }),
    stock(room) {
      const client = stockClient(3, socketUrl, room, { maxBackoffTime: 300, socketOptions: reach })
      onTestFinished(() => client.destroy())
      return client
    },
    hocuspocus(name) {
      // The provider takes a slash at the end away.
      const socket = hocuspocusSocket(4, `${socketUrl}/`, reach)
      onTestFinished(() => socket.destroy())
      return socket.open(name)
    },
    get: path =>
      within(
        `an answer to ${path}`,
        new Promise((resolve, reject) => {
          const asked = request(`https://${host}${path}`, { lookup, ca: certificate, agent: false }, answer => {
            let body = ''
            answer.setEncoding('utf8')
            answer.on('data', (text: string) => {
              body += text
            })
            answer.on('end', () => resolve({ status: answer.statusCode, location: answer.headers.location, body }))
          })
          asked.on('error', reject)
          asked.end()
        }),
      ),
  }
}

/** The addresses of clients, in the order of their coming; with `WEFT_LOG_LEVEL=debug`. */
function addresses(server: ServerProcess): string[] {
  return [...server.output.matchAll(/"address":"([^"]*)","path":"[^"]*","msg":"connection opened"/g)].map(
    ([, address = '']) => address,
  )
}

async function has(client: { readonly doc: StockClient['doc'] }, text: string): Promise<void> {
  await eventually(`the text ${JSON.stringify(text)}`, () => textOf({ ydoc: client.doc }) === text)
}

async function shows(window: EditorWindow, ...lines: string[]): Promise<void> {
  await eventually(`the lines ${JSON.stringify(lines)}`, async () => {
    return JSON.stringify(await window.lines()) === JSON.stringify(lines)
  })
}

/** Asks for a WebSocket with a token in every place; resolves when there is one, or none. */
function upgrade(url: string): Promise<void> {
  const socket = new WebSocket(url, ['weft', 'weft.token.a.secret.token'], {
    ...reach,
    headers: { Authorization: 'Bearer a.secret.token' },
  })
  return new Promise(resolve => {
    socket.on('open', () => socket.close())
    socket.on('error', () => resolve())
    socket.on('close', () => resolve())
  })
}

describe.each(proxyKinds)('behind %s under a path', kind => {
  it('y-websocket, Hocuspocus and a browser write in one document', async () => {
    const { url, window, stock, hocuspocus, host } = await behind(kind)
    const ann = await window()
    await ann.page.goto(url)
    expect(ann.page.url()).toBe(`${url}/`)
    await ann.page.getByTestId('new-document').click()
    await ann.shows('saved')
    expect(ann.page.url()).toMatch(/\/weft\/d\/[a-z]+-[a-z]+-[2-9a-z]{8}$/)
    const name = ann.page.url().slice(`${url}/d/`.length)
    await ann.type('from the page')

    const bo = stock(name)
    const cy = hocuspocus(name)
    await Promise.all([bo.synced(), cy.synced()])
    await has(bo, 'from the page')
    append({ ydoc: bo.doc }, 'from y-websocket')
    await has(cy, 'from the page\nfrom y-websocket')
    append({ ydoc: cy.doc }, 'from Hocuspocus')
    await eventually('Hocuspocus to have saved', () => !cy.provider.hasUnsyncedChanges)
    await has(bo, 'from the page\nfrom y-websocket\nfrom Hocuspocus')
    await shows(ann, 'from the page', 'from y-websocket', 'from Hocuspocus')
    expect(bo.provider.awareness.getStates().size).toBeGreaterThanOrEqual(2)

    // What the device keeps is told apart from that of another server of this host.
    const kept = await ann.page.evaluate(async () => (await indexedDB.databases()).map(database => database.name))
    expect(kept).toEqual([`weft:/weft//${name}`])
    await ann.page.reload()
    await shows(ann, 'from the page', 'from y-websocket', 'from Hocuspocus')
    await ann.page.getByRole('link', { name: 'Documents' }).click()
    expect(ann.page.url()).toBe(`${url}/`)
    await ann.page.getByRole('link', { name: new RegExp(name) }).click()
    await shows(ann, 'from the page', 'from y-websocket', 'from Hocuspocus')

    const dan = await window()
    await dan.page.goto(`${url}/`)
    await dan.page.getByTestId('open-name').fill(`https://${host}/weft/d/${name}`)
    await dan.keyboard.press('Enter')
    await shows(dan, 'from the page', 'from y-websocket', 'from Hocuspocus')
  })

  it('names stay as they are, slashes, percent signs and escapes too', async () => {
    const { window, stock, hocuspocus } = await behind(kind)
    const name = 'team/d/Notizen für 100 % ☕ & a+b?c#d%2F;e'
    const path = name.split('/').map(encodeURIComponent).join('/')
    const ann = stock(path)
    const bo = hocuspocus(name)
    await Promise.all([ann.synced(), bo.synced()])
    append({ ydoc: ann.doc }, 'hello')
    await has(bo, 'hello')
    const page = await window()
    for (const written of [path, encodeURIComponent(name)]) {
      await page.goTo(written)
      await shows(page, 'hello')
      await page.shows('saved')
      const escaped = stock(written)
      await escaped.synced()
      await has(escaped, 'hello')
    }
  })

  it('a message of megabytes goes through, both ways', async () => {
    const { stock, hocuspocus } = await behind(kind)
    const megabytes = 'lorem ipsum '.repeat(300_000)
    const ann = stock('a')
    const bo = hocuspocus('a')
    await Promise.all([ann.synced(), bo.synced()])
    ann.doc.getText('text').insert(0, megabytes)
    await eventually('all of it', () => bo.doc.getText('text').length === megabytes.length)
    const late = stock('a')
    await late.synced()
    expect(late.doc.getText('text').toString() === megabytes).toBe(true)
  })

  it('[threat C4] the server knows who connects, whatever they claim, and counts them one by one', async () => {
    const { server, socketUrl, host } = await behind(kind, {
      WEFT_LOG_LEVEL: 'debug',
      WEFT_MAX_CONNECTIONS_PER_ADDRESS: '1',
    })
    const claims = {
      'X-Forwarded-For': '198.51.100.7, 127.0.0.1',
      'X-Forwarded-Host': 'elsewhere.example',
      'X-Forwarded-Proto': 'http',
      'X-Real-IP': '198.51.100.7',
      Forwarded: 'for=198.51.100.7;host=elsewhere.example',
    }
    const connect = (localAddress: string, origin = `https://${host}`) =>
      RawClient.connect(`${socketUrl}/a`, { ...reach, localAddress, origin, headers: claims })
    await connect('127.0.0.2')
    await expect(connect('127.0.0.2')).rejects.toThrow('429')
    await connect('127.0.0.3')
    await expect(connect('127.0.0.4', 'https://elsewhere.example')).rejects.toThrow('403')
    await expect(connect('127.0.0.4', `http://${host}`)).rejects.toThrow('403')
    await eventually('both in the log', () => addresses(server).length >= 2)
    expect(addresses(server)).toEqual(['127.0.0.2', '127.0.0.3'])
  })

  it('is believed nothing where it is not trusted: all behind it are one', async () => {
    const { server, socketUrl } = await behind(kind, {
      WEFT_LOG_LEVEL: 'debug',
      WEFT_MAX_CONNECTIONS_PER_ADDRESS: '1',
      WEFT_TRUSTED_PROXIES: '127.0.0.9',
    })
    const connect = (localAddress: string) =>
      RawClient.connect(`${socketUrl}/a`, { ...reach, localAddress, headers: { 'X-Forwarded-For': '198.51.100.7' } })
    await connect('127.0.0.2')
    await expect(connect('127.0.0.3')).rejects.toThrow('429')
    // A program of this machine is no proxy.
    await RawClient.connect(`${server.socketUrl}/a`)
    await eventually('both in the log', () => addresses(server).length >= 2)
    expect(addresses(server)).toEqual(['127.0.0.1', '127.0.0.1'])
    expect(server.output).toContain('WEFT_TRUSTED_PROXIES')
  })

  it('clients come back when the server does, with what they wrote in between', async () => {
    const { server, window, stock, hocuspocus } = await behind(kind)
    const ann = stock('a')
    const bo = hocuspocus('a')
    const cy = await window(true)
    await Promise.all([ann.synced(), bo.synced(), cy.goTo('a')])
    await cy.shows('saved')
    await server.kill()
    await eventually('all to notice', () => !ann.provider.wsconnected && !bo.provider.isSynced)
    append({ ydoc: ann.doc }, 'ann')
    append({ ydoc: bo.doc }, 'bo')
    // An upgrade that the proxy refuses is tried again.
    const attempts = ann.sockets.length
    await eventually('a vain attempt', () => ann.sockets.length > attempts)
    await server.start()
    await Promise.all([ann.synced(), bo.synced(), cy.shows('saved')])
    for (const text of ['ann', 'bo']) {
      await eventually(`${text} everywhere`, async () => {
        const lines = await cy.lines()
        return [ann, bo].every(({ doc }) => textOf({ ydoc: doc }).includes(text)) && lines.includes(text)
      })
    }
  })

  it('[threat C9] keeps tokens out of its logs, also where the server is away', async () => {
    const { get, proxy, server, socketUrl } = await behind(kind)
    const ask = async () => {
      await get('/weft/d/notes?token=a.secret.token')
      await upgrade(`${socketUrl}/a?token=a.secret.token`)
    }
    await ask()
    await server.kill()
    await ask()
    await get('/weft/the-end')
    await eventually('the last line in the log', async () => proxy.output.includes('/weft/the-end'))
    expect(proxy.output).not.toContain('secret')
  })

  it('serves what is under its path, and nothing beside it', async () => {
    const { get } = await behind(kind)
    expect(await get('/weft/healthz')).toMatchObject({ status: 200, body: 'ok\n' })
    expect(await get('/weft')).toMatchObject({ status: 308, location: '/weft/' })
    for (const path of ['/', '/healthz', '/weftx', '/weftx/healthz', '/weft-healthz'])
      expect((await get(path)).body).not.toMatch(/ok\n|id="app"/)
  })

  it.runIf(isLong)('a client that says nothing stays connected beyond its timeouts', async () => {
    const { socketUrl } = await behind(kind)
    const client = await RawClient.connect(`${socketUrl}/a`, reach)
    client.ask()
    client.answer()
    await client.next('syncStep2')
    // 15 to 20 s apart, and the timeouts are 60 s.
    for (let i = 0; i < 5; i++) await client.next('awareness')
    await client.commit(typist(1).type('still here'))
  })
})
