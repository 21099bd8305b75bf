import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { putMarkdown } from './support/apiClient.ts'
import { eventually, within } from './support/eventually.ts'
import { RawClient } from './support/RawClient.ts'
import type { ServerProcess } from './support/ServerProcess.ts'
import { sharedServer, testServer } from './support/testServer.ts'
import { typist } from './support/typist.ts'

/** Sends bytes over a socket of its own and gives all that comes until the server ends the connection. */
function exchange(server: ServerProcess, request: string): Promise<string> {
  return within(
    `an answer to ${request.slice(0, 80)}`,
    new Promise((resolve, reject) => {
      let answer = ''
      const socket = connect(server.port, '127.0.0.1', () => socket.write(request))
      socket.setEncoding('latin1')
      socket.on('data', text => {
        answer += text
        // An upgrade that was accepted stays open.
        if (answer.startsWith('HTTP/1.1 101')) socket.destroy()
      })
      socket.on('close', () => resolve(answer))
      socket.on('error', reject)
    }),
  )
}

const upgrade = (target: string, headers: readonly string[]) =>
  [
    `GET ${target} HTTP/1.1`,
    ...headers,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    '',
    '',
  ].join('\r\n')

const get = (target: string, headers: readonly string[]) =>
  [`GET ${target} HTTP/1.1`, ...headers, 'Connection: close', '', ''].join('\r\n')

const status = (answer: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1])

async function expectAlive(server: ServerProcess): Promise<void> {
  const client = await RawClient.join(`${server.socketUrl}/alive`)
  await client.commit(typist(1).type('x'))
  client.cut()
}

const running = sharedServer()

describe('over HTTP the server', () => {
  it('says that it runs, and that edits can be stored', async () => {
    const server = running()
    const health = await fetch(`${server.url}/healthz`)
    expect([health.status, await health.text()]).toEqual([200, 'ok\n'])
    const ready = await fetch(`${server.url}/readyz`)
    expect([ready.status, await ready.text()]).toEqual([200, 'ready\n'])
  })

  it('[threat E4] lets a page do what ours need, and nothing else', async () => {
    const server = running()
    const here = `127.0.0.1:${server.port}`
    const file = /src="\.(\/assets\/[^"]*)"/.exec(await (await fetch(server.url)).text())?.[1] ?? 'none'
    const nonces = new Set<string>()
    for (const path of ['/', '/d/a/b', file, '/healthz', '/nothing-here', '/assets/nothing-here.js']) {
      const answer = await fetch(server.url + path)
      const policy = answer.headers.get('content-security-policy') ?? ''
      const nonce = /'nonce-([\w+/=]{24})'/.exec(policy)?.[1] ?? 'none'
      nonces.add(nonce)
      expect([path, policy.split('; ')]).toEqual([
        path,
        [
          "default-src 'none'",
          "script-src 'self'",
          `style-src 'self' 'nonce-${nonce}'`,
          "img-src 'self' https: blob:",
          "font-src 'self'",
          `connect-src 'self' ws://${here} wss://${here}`,
          "worker-src 'self'",
          "manifest-src 'self'",
          "frame-ancestors 'none'",
          "base-uri 'none'",
          "form-action 'self'",
          "object-src 'none'",
          "require-trusted-types-for 'script'",
        ],
      ])
      const text = await answer.text()
      // The page knows it; its scripts are files.
      if (text.includes('<!doctype html>')) {
        expect(text).toContain(`<meta property="csp-nonce" nonce="${nonce}" />`)
        expect(text).not.toMatch(/<script(?![^>]* src=)|<style|style=| on\w+=/)
      }
    }
    // New in each answer.
    expect(nonces.size).toBe(6)
    const elsewhere = await fetch(`${server.url}/nothing-here`)
    expect([elsewhere.status, await elsewhere.text()]).toEqual([
      404,
      expect.stringContaining('the page of a document is /d/'),
    ])
    expect((await fetch(`${server.url}/assets/nothing-here.js`)).status).toBe(404)
  })

  it('[threat E4] sends what keeps an answer in its place with every answer, and not what it is made with', async () => {
    const server = await testServer({ WEFT_MAX_CONNECTIONS: '1' })
    const host = `Host: 127.0.0.1:${server.port}`
    const client = await RawClient.join(`${server.socketUrl}/a`)
    expect((await putMarkdown(server, 'a', 'Hello')).status).toBe(201)
    const requests: [status: number, request: string][] = [
      [200, get('/', [host])],
      [200, get('/healthz', [host])],
      [404, get('/nothing-here', [host])],
      [200, get('/api/v1/documents', [host])],
      [200, get('/api/v1/documents/a?format=html', [host])],
      [404, get('/api/v1/documents/b', [host])],
      [400, get('/api/v1/documents/a%00', [host])],
      [405, get('/api/v1/documents/a', [host, 'Content-Type: application/json']).replace('GET', 'POST')],
      [403, get('/', [host, 'Origin: https://elsewhere.example'])],
      [421, get('/', ['Host: elsewhere.example'])],
      [400, get('/d/%zz', [host])],
      [400, get('/', [])],
      [431, get('/', [host, `X-Huge: ${'x'.repeat(64 * 1024)}`])],
      [503, upgrade('/a', [host])],
      [403, upgrade('/a', [host, 'Origin: https://elsewhere.example'])],
    ]
    for (const [wanted, request] of requests) {
      const answer = await exchange(server, request)
      const head = answer.slice(0, answer.indexOf('\r\n\r\n')).toLowerCase()
      const what = request.slice(0, request.indexOf('\r\n'))
      expect([what, status(answer)]).toEqual([what, wanted])
      for (const header of [
        'x-content-type-options: nosniff',
        'referrer-policy: no-referrer',
        'cross-origin-opener-policy: same-origin',
        'cross-origin-resource-policy: same-origin',
        "content-security-policy: default-src 'none'; ",
        'permissions-policy: accelerometer=(), camera=(), ',
      ])
        expect([what, head]).toEqual([what, expect.stringContaining(header)])
      for (const directive of ["frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'"])
        expect([what, head]).toEqual([what, expect.stringContaining(directive)])
      expect(head).not.toMatch(/x-powered-by|\nserver:|access-control-/)
    }
    client.cut()
  })

  it('names the files of a page relative to it, so that a proxy can put a path before it', async () => {
    const server = running()
    const filesOf = async (path: string) => {
      const html = await (await fetch(server.url + path)).text()
      return [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, file = '']) => file)
    }
    const names = await filesOf('/')
    expect(names.length).toBeGreaterThan(3)
    for (const path of ['/', '/d/a', '/d/team/notes', '/d/a%2Fb/c/', '/d/a//b']) {
      const files = await filesOf(path)
      expect(files).not.toContainEqual(expect.stringMatching(/^[/h]/))
      // Found under a prefix as without one.
      for (const base of [`${server.url}`, 'https://example.org/x/weft'])
        expect(files.map(file => new URL(file, base + path).href)).toEqual(
          names.map(file => `${base}/${file.slice(2)}`),
        )
    }
    for (const file of names) expect((await fetch(`${server.url}/${file}`)).status).toBe(200)
    const { headers } = await fetch(`${server.url}/d/team/notes`)
    expect(headers.get('cache-control')).toBe('no-cache')
    // Never one that is kept: its nonce would be of another answer.
    const again = [`Host: 127.0.0.1:${server.port}`, `If-None-Match: ${headers.get('etag')}`]
    expect(status(await exchange(server, get('/d/team/notes', again)))).toBe(200)
    // A redirect would lead out of the path that a proxy puts before it.
    expect((await fetch(`${server.url}/assets`, { redirect: 'manual' })).status).toBe(404)
  })

  it('[threat C1] answers broken requests with an error of theirs, and goes on', async () => {
    const server = running()
    const host = `Host: 127.0.0.1:${server.port}`
    const huge = `X-Huge: ${'x'.repeat(64 * 1024)}`
    const broken: [name: string, request: string, statuses: number[]][] = [
      ['no Host', get('/healthz', []), [400]],
      ['an upgrade without Host', upgrade('/a', []), [400]],
      ['an upgrade to an absolute URL', upgrade(`http://127.0.0.1:${server.port}/a`, [host]), [400]],
      ['an upgrade to an absolute URL elsewhere', upgrade('http://elsewhere.example/a', [host]), [400]],
      ['64 KiB of headers', get('/healthz', [host, huge]), [431]],
      ['an upgrade with 64 KiB of headers', upgrade('/a', [host, huge]), [431]],
      ['an upgrade whose target is too long', upgrade(`/${'a'.repeat(5000)}`, [host]), [414]],
      ['an absolute URL elsewhere', get('http://elsewhere.example/nothing', [host]), [400, 404, 421]],
      ['a bad percent-escape', get('/%zz', [host]), [400, 404]],
      ['a bad percent-escape of a document', get('/d/%ff', [host]), [400, 404]],
      ['no HTTP at all', '\u0016\u0003\u0001\u0000\r\n\r\n', [400]],
      ['a broken header', `GET / HTTP/1.1\r\n${host}\r\nbad header\r\n\r\n`, [400]],
      ['a method that is not there', `FROB / HTTP/1.1\r\n${host}\r\n\r\n`, [400]],
      ['a file above the folder', get('/../../../../etc/passwd', [host]), [400, 403, 404]],
      ['a file above the folder, encoded', get('/%2e%2e/%2e%2e/package.json', [host]), [400, 403, 404]],
    ]
    for (const [name, request, statuses] of broken) {
      const answer = await exchange(server, request)
      expect([name, statuses]).toEqual([name, expect.arrayContaining([status(answer)])])
      expect(answer).not.toContain('at ')
    }
    await expectAlive(server)
  })

  it('[threat C1] survives connections that end in the middle of a handshake', async () => {
    const server = running()
    const whole = upgrade('/a', [`Host: 127.0.0.1:${server.port}`])
    for (const length of [1, 20, 60, whole.length - 2, whole.length]) {
      await new Promise<void>((resolve, reject) => {
        const socket = connect(server.port, '127.0.0.1', () => {
          socket.write(whole.slice(0, length), () => socket.resetAndDestroy())
        })
        socket.on('error', reject)
        socket.on('close', () => resolve())
      })
    }
    await expectAlive(server)
  })

  it('refuses broken handshakes', async () => {
    const server = running()
    const host = `Host: 127.0.0.1:${server.port}`
    const handshake = upgrade('/a', [host])
    for (const broken of [
      handshake.replace('Version: 13', 'Version: 7'),
      handshake.replace(/Sec-WebSocket-Key: .*\r\n/, ''),
      handshake.replace('Upgrade: websocket', 'Upgrade: other'),
      handshake.replace('GET', 'POST'),
    ]) {
      expect([400, 405, 426]).toContain(status(await exchange(server, broken)))
    }
    await expectAlive(server)
  })
})

describe('a page of another host', () => {
  it('[threat C8] may neither connect nor read: 403', async () => {
    const server = await testServer()
    const host = `Host: 127.0.0.1:${server.port}`
    for (const origin of ['http://elsewhere.example', 'https://127.0.0.1.elsewhere.example', 'null', 'file://']) {
      const refused = await exchange(server, upgrade('/a', [host, `Origin: ${origin}`]))
      expect([origin, status(refused)]).toEqual([origin, 403])
      const page = await exchange(server, get('/healthz', [host, `Origin: ${origin}`]))
      expect([origin, status(page)]).toEqual([origin, 403])
    }
    // Said once, with the setting that would allow it.
    const reports = () => server.output.match(/WEFT_ORIGINS/g)?.length ?? 0
    await eventually('a report for each', () => reports() >= 4)
    expect(reports()).toBe(4)
  })

  it('[threat C8] may when the setting names it', async () => {
    const server = await testServer({ WEFT_ORIGINS: 'https://notes.example, http://other.example:8080' })
    const host = `Host: 127.0.0.1:${server.port}`
    for (const origin of ['https://notes.example', 'http://other.example:8080']) {
      expect(status(await exchange(server, upgrade('/a', [host, `Origin: ${origin}`])))).toBe(101)
    }
    expect(status(await exchange(server, upgrade('/a', [host, 'Origin: http://notes.example'])))).toBe(403)
    // Behind a proxy that passes its host on.
    expect(
      status(await exchange(server, upgrade('/a', ['Host: notes.example', 'Origin: https://notes.example']))),
    ).toBe(101)
  })

  it('is welcome where it is the public address, as host and as origin', async () => {
    const server = await testServer({ WEFT_PUBLIC_URL: 'https://Notes.example/weft/, http://other.example:8080' })
    const ask = async (host: string, origin: string) =>
      status(await exchange(server, upgrade('/a', [`Host: ${host}`, `Origin: ${origin}`])))
    expect(await ask('notes.example', 'https://notes.example')).toBe(101)
    expect(await ask('other.example:8080', 'http://other.example:8080')).toBe(101)
    expect(await ask(`127.0.0.1:${server.port}`, 'https://notes.example')).toBe(101)
    expect(await ask('notes.example', 'https://elsewhere.example')).toBe(403)
    expect(await ask('other.example', 'https://notes.example')).toBe(421)
    expect(server.output).toContain('https://Notes.example/weft/')
  })

  it('is no page of this machine: any port of it may', async () => {
    const server = running()
    const host = `Host: 127.0.0.1:${server.port}`
    for (const origin of [
      server.url,
      `http://localhost:${server.port}`,
      'http://127.0.0.1:5173',
      'http://[::1]:5173',
    ]) {
      const answer = await exchange(server, upgrade('/a', [host, `Origin: ${origin}`]))
      expect([origin, status(answer)]).toEqual([origin, 101])
    }
    expect(status(await exchange(server, upgrade('/a', [host])))).toBe(101)
  })

  it('[threat C8] that was given the name of this machine is refused: 421', async () => {
    const server = running()
    for (const name of ['elsewhere.example', `elsewhere.example:${server.port}`, '127.0.0.1.elsewhere.example']) {
      const headers = [`Host: ${name}`, `Origin: http://${name}`]
      expect([name, status(await exchange(server, upgrade('/a', headers)))]).toEqual([name, 421])
      expect([name, status(await exchange(server, get('/', headers)))]).toEqual([name, 421])
    }
    for (const name of ['localhost', `localhost:${server.port}`, '127.0.0.1', '[::1]:80', 'weft.localhost']) {
      expect([name, status(await exchange(server, get('/healthz', [`Host: ${name}`])))]).toEqual([name, 200])
    }
  })
})

it('[threat C4] connections are counted: one too many is told to come later', async () => {
  const server = await testServer({ WEFT_MAX_CONNECTIONS: '2' })
  const first = await RawClient.join(`${server.socketUrl}/a`)
  await RawClient.join(`${server.socketUrl}/a`)
  const answer = await exchange(server, upgrade('/a', [`Host: 127.0.0.1:${server.port}`]))
  expect(answer).toMatch(/^HTTP\/1\.1 503 .*\r\nRetry-After: \d+\r\n/s)
  await first.leave()
  await eventually('room for one', () => RawClient.join(`${server.socketUrl}/a`).catch(() => null))
})

it('[threat K9] [threat C4] sessions of a document are counted: 1013 with the seconds to wait', async () => {
  const server = await testServer({ WEFT_MAX_SESSIONS_PER_DOCUMENT: '2' })
  const first = await RawClient.join(`${server.socketUrl}/a`)
  await RawClient.join(`${server.socketUrl}/a`)
  const refused = await RawClient.connect(`${server.socketUrl}/a`)
  refused.ask()
  expect(await refused.closed).toEqual({ code: 1013, reason: expect.stringMatching(/^overload: .*retry after \d+ s/) })
  await RawClient.join(`${server.socketUrl}/b`)
  await first.leave()
  await eventually('room for one', () => RawClient.join(`${server.socketUrl}/a`).catch(() => null))
})

it.each([
  ['a refused upgrade', upgrade('/a', ['Host: evil.example'])],
  ['a broken request', 'nonsense\r\n\r\n'],
])('keeps no connection after %s, though the other side holds on to it', async (_what, request) => {
  const server = running()
  const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
  socket.write(request)
  const broken = new Promise<string | undefined>(resolve => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
  })
  // Its end was heard, ours is not said: what we still send is answered by a reset.
  socket.on('end', () => void setInterval(() => socket.write('.'), 10).unref())
  socket.resume()
  expect(await within('a reset', broken)).toMatch(/ECONNRESET|EPIPE/)
  socket.destroy()
})
