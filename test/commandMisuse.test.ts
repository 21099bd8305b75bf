import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { putMarkdown } from './support/apiClient.ts'
import type { ServerProcess } from './support/ServerProcess.ts'
import { sharedServer, testFolder, testServer } from './support/testServer.ts'
import { BIN, runCommand, startCommand } from './support/weftCommand.ts'

// The `weft` command where somebody means no good: a server, an author, whoever put a link in the way. See `command.test.ts`.

const weft = (server: ServerProcess, ...args: string[]) => runCommand(args, { WEFT_URL: server.url })

const lines = (text: string) => text.split('\n').filter(line => line !== '')

/** Another server than Weft's. @returns its URL */
async function otherServer(answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const createdAt = new Date(0).toISOString()

describe('a server that isn’t Weft', () => {
  it('but has an answer to everything is told from one: nothing counts as done', async () => {
    const url = await otherServer((_, response) => response.end('<!doctype html><title>An app</title>'))
    const folder = await testFolder()
    const file = join(folder, 'a.md')
    await writeFile(file, 'kept')
    const calls = [
      ['ls'],
      ['cat', 'a'],
      ['rm', 'a'],
      ['export', 'a', file],
      ['export', '--prefix', '', folder],
      ['import', file, 'a'],
    ]
    for (const args of calls) {
      const { code, stdout, stderr } = await runCommand(args, { WEFT_URL: url })
      expect([args, code, stdout]).toEqual([args, 1, ''])
      expect(stderr).toBe(`weft: ${url} answers otherwise than a Weft server: is it one?\n`)
    }
    expect(await readFile(file, 'utf8')).toBe('kept')
  })

  it('names no file outside of the folder', async () => {
    const names = ['../outside', 'a/../../outside', '/tmp/outside', 'a\\..\\outside', 'x\u0000y']
    for (const name of names) {
      const url = await otherServer((request, response) => {
        if (request.url?.includes('prefix='))
          response.end(JSON.stringify({ documents: [{ name, createdAt }], next: null }))
        else response.setHeader('Weft-Version', '1').end('hostile')
      })
      const parent = await testFolder()
      const folder = join(parent, 'folder')
      const { code, stderr } = await runCommand(['export', '--prefix', '', folder], { WEFT_URL: url })
      expect([name, code, lines(stderr).length]).toEqual([name, 1, 1])
      expect(await readdir(parent)).toEqual([])
    }
  })

  it('that breaks off in the middle, or lists the same for ever, is one line and 1', async () => {
    const breaking = await otherServer((_, response) => {
      response.writeHead(200, { 'Weft-Version': '1', 'Content-Length': '100' })
      response.write('half', () => response.destroy())
    })
    const file = join(await testFolder(), 'a.md')
    const broken = await runCommand(['export', 'a', file], { WEFT_URL: breaking })
    expect([broken.code, broken.stderr]).toEqual([1, expect.stringMatching(/^weft: the connection to .* broke: .*\n$/)])
    expect(existsSync(file)).toBe(false)
    const turning = await otherServer((_, response) => response.end(JSON.stringify({ documents: [], next: 'a' })))
    expect(await runCommand(['ls'], { WEFT_URL: turning })).toMatchObject({ code: 1, stdout: '' })
  })

  it('that is busy is asked again when it said', async () => {
    let count = 0
    const url = await otherServer((_, response) => {
      const isBusy = ++count < 3
      response.writeHead(isBusy ? 503 : 200, { 'Retry-After': '0', 'Weft-Version': '1' })
      response.end(isBusy ? JSON.stringify({ error: { code: 'busy', message: 'later' } }) : 'text')
    })
    expect(await runCommand(['cat', 'a'], { WEFT_URL: url })).toMatchObject({ code: 0, stdout: 'text', stderr: '' })
    expect(count).toBe(3)
  })

  it('says nothing to the terminal', async () => {
    const url = await otherServer((_, response) => {
      response.statusCode = 404
      response.end(
        JSON.stringify({ error: { code: 'not-found', message: 'gone\u001b]0;owned\u0007\u009b2J\nweft: all well' } }),
      )
    })
    const folder = await testFolder()
    for (const args of [['cat', 'a'], ['rm', 'a', '--json'], ['export', 'a', join(folder, 'a.md'), '--json'], ['ls']]) {
      const { stdout, stderr } = await runCommand(args, { WEFT_URL: url })
      for (const text of [stdout, stderr]) expect(text).not.toMatch(/[^\P{C}\n]/u)
      expect(lines(stderr).length).toBe(1)
    }
  })
})

describe('weft export', () => {
  const server = sharedServer()

  it('follows no link out of its folder, and writes no file over another one’s', async () => {
    for (const name of ['e/in', 'e/link/out', 'e/one/x', 'e/two/x']) await putMarkdown(server(), name, name)
    const [folder, outside] = [await testFolder(), await testFolder()]
    await mkdir(join(folder, 'e', 'one'), { recursive: true })
    await symlink(outside, join(folder, 'e', 'link'))
    // As on a file system to which `One` is `one`.
    await symlink('one', join(folder, 'e', 'two'))
    const { code, stdout, stderr } = await weft(server(), 'export', '--prefix', 'e/', folder, '--json')
    const reports = lines(stdout).map(line => JSON.parse(line))
    expect(reports.map(({ document, problem }) => [document, problem === null])).toEqual([
      ['e/in', true],
      ['e/link/out', false],
      ['e/one/x', true],
      ['e/two/x', false],
    ])
    expect([code, lines(stderr).length]).toEqual([1, 2])
    expect(await readdir(outside)).toEqual([])
    expect(await readFile(join(folder, 'e', 'one', 'x.md'), 'utf8')).toBe('e/one/x\n')
    // A second time it writes over its own.
    expect(lines((await weft(server(), 'export', '--prefix', 'e/one/', folder)).stdout).length).toBe(1)
  })

  it('writes through a link that was named, into a device, and keeps permissions', async () => {
    await putMarkdown(server(), 'one', 'new')
    const folder = await testFolder()
    await writeFile(join(folder, 'real.md'), 'old', { mode: 0o600 })
    await symlink('real.md', join(folder, 'link.md'))
    expect((await weft(server(), 'export', 'one', join(folder, 'link.md'))).code).toBe(0)
    expect(await readlink(join(folder, 'link.md'))).toBe('real.md')
    expect(await readFile(join(folder, 'real.md'), 'utf8')).toBe('new\n')
    expect((await stat(join(folder, 'real.md'))).mode & 0o777).toBe(0o600)
    const pipe = join(folder, 'pipe.md')
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0)
    const [read, { code }] = await Promise.all([readFile(pipe, 'utf8'), weft(server(), 'export', 'one', pipe)])
    expect([read, code, (await stat(pipe)).isFIFO()]).toEqual(['new\n', 0, true])
    expect((await readdir(folder)).sort()).toEqual(['link.md', 'pipe.md', 'real.md'])
  })
})

describe('standard input', () => {
  const server = sharedServer()

  it('that never ends is left at the first interrupt', async () => {
    const child = spawn(BIN, ['append', 'a'], {
      env: { ...process.env, WEFT_URL: server().url },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const said: string[] = []
    child.stderr.on('data', chunk => said.push(String(chunk)))
    // More than a pipe holds: when it is written, the command is reading.
    await new Promise(resolve => child.stdin.write('x'.repeat(1 << 20), resolve))
    const ended = once(child, 'close')
    child.kill('SIGINT')
    expect(await ended).toEqual([130, null])
    expect(said.join('')).toBe('weft: interrupted by SIGINT\n')
  })

  it('that is larger than any document is refused', async () => {
    const { child, result } = startCommand(
      ['import', '-', 'a', '--format', 'yjs'],
      { WEFT_URL: server().url },
      undefined,
      'x'.repeat((64 << 20) + 1),
    )
    child.stdin?.on('error', () => {})
    expect(await result).toMatchObject({ code: 1, stderr: 'weft: standard input has over 67108864 bytes\n' })
  })
})

// Of util-linux; a terminal is what it runs its command in.
it.runIf(existsSync('/usr/bin/script'))(
  'a document says nothing to the terminal, and a pipe gets it as it is',
  async () => {
    const server = await testServer()
    const hostile = 'a\u001b]0;owned\u0007b\u009b2Jc'
    await putMarkdown(server, 'hostile', hostile)
    const piped = await weft(server, 'cat', 'hostile')
    expect(piped.stdout).toBe(`${hostile}\n`)
    const env = { ...process.env, WEFT_URL: server.url }
    const shown = spawn('script', ['-qec', `${BIN} cat hostile`, '/dev/null'], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const output: string[] = []
    shown.stdout.setEncoding('utf8').on('data', text => output.push(text))
    await once(shown, 'close')
    expect(output.join('')).toBe('a\\u001b]0;owned\\u0007b\\u009b2Jc\r\n')
  },
)
