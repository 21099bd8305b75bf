import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { textOf, toMarkdown } from '@weft/client/text'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { api, apiPath, putMarkdown } from './support/apiClient.ts'
import { program } from './support/editing.ts'
import { eventually } from './support/eventually.ts'
import { freePort } from './support/freePort.ts'
import { RawClient } from './support/RawClient.ts'
import type { ServerProcess } from './support/ServerProcess.ts'
import { sharedServer, testFolder, testServer } from './support/testServer.ts'
import { asksForTokens, nowInSeconds, sign, tokenFor } from './support/tokens.ts'
import { typist } from './support/typist.ts'
import { runCommand, startCommand } from './support/weftCommand.ts'

/** Runs a verb on a server. */
const weft = (server: ServerProcess, ...args: string[]) => runCommand(args, { WEFT_URL: server.url })

const lines = (text: string) => text.split('\n').filter(line => line !== '')

describe('weft', () => {
  const VERBS = ['serve', 'ls', 'cat', 'export', 'import', 'rm']

  it('lists its verbs, and each has help with examples', async () => {
    const { stdout, code } = await runCommand(['--help'])
    expect(code).toBe(0)
    for (const verb of VERBS) expect(stdout).toMatch(new RegExp(`^  ${verb} `, 'm'))
    const helps = await Promise.all(VERBS.slice(1).map(verb => runCommand([verb, '--help'])))
    helps.forEach((help, index) => {
      expect([VERBS[index + 1], help.code, help.stderr]).toEqual([VERBS[index + 1], 0, ''])
      expect(help.stdout).toMatch(/\n\nExamples:\n {2}weft /)
    })
  })

  it('called in a wrong way ends with 2 and one line', async () => {
    for (const args of [[], ['cat'], ['cat', 'a//b'], ['cat', 'a', '--format', 'pdf'], ['ls', 'a', 'b'], ['fly']]) {
      const { code, stderr } = await runCommand(args, { WEFT_URL: 'http://127.0.0.1:1' })
      expect([args, code]).toEqual([args, 2])
      expect(lines(stderr).length).toBeLessThanOrEqual(1)
    }
  })

  it('says where no server is, and where something else is: 1', async () => {
    const server = await testServer()
    const nowhere = await runCommand(['ls'], { WEFT_URL: `http://127.0.0.1:${await freePort()}` })
    expect([nowhere.code, nowhere.stdout]).toEqual([1, ''])
    expect(nowhere.stderr).toMatch(/^weft: no Weft server at http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED.*\n$/)
    const elsewhere = await runCommand(['ls'], { WEFT_URL: `${server.url}/elsewhere` })
    expect([elsewhere.code, elsewhere.stderr]).toEqual([1, expect.stringContaining('is it a Weft server?')])
  })
})

describe('weft serve', () => {
  it('is the server, with its settings, its help, and its way to stop', async () => {
    const help = await runCommand(['serve', '--help'])
    expect([help.code, help.stdout]).toEqual([0, expect.stringContaining('--max-message-bytes')])
    const wrong = await runCommand(['serve', '--colour', 'red'])
    expect([wrong.code, wrong.stderr]).toEqual([2, 'weft: --colour is no flag of Weft; --help lists them all\n'])
    const data = join(await testFolder(), 'data')
    const port = await freePort()
    const { child, result } = startCommand(['serve', '--port', `${port}`, '--data', data], { WEFT_METRICS_PORT: '0' })
    await eventually('the server', () => fetch(`http://127.0.0.1:${port}/healthz`).catch(() => null))
    const { stdout } = await runCommand(['ls', '--url', `http://127.0.0.1:${port}`])
    expect(stdout).toBe('')
    child.kill('SIGTERM')
    expect(await result).toMatchObject({ code: 0, stdout: expect.stringContaining(`http://127.0.0.1:${port}\n`) })
  })
})

describe('weft ls', () => {
  it('prints the names, in order, those with something that nobody sees in quotes; --json the whole', async () => {
    const server = await testServer()
    for (const name of ['b', 'a', 'team/notes', 'two words', 'ü']) await putMarkdown(server, name, 'x')
    expect(await weft(server, 'ls')).toMatchObject({ code: 0, stdout: 'a\nb\nteam/notes\n"two words"\nü\n' })
    expect(await weft(server, 'ls', 'te')).toMatchObject({ code: 0, stdout: 'team/notes\n' })
    expect(await weft(server, 'ls', 'nothing')).toMatchObject({ code: 0, stdout: '' })
    const documents = lines((await weft(server, 'ls', '--json')).stdout).map(line => JSON.parse(line))
    expect(documents.map(({ name }) => name)).toEqual(['a', 'b', 'team/notes', 'two words', 'ü'])
    expect(documents[0].createdAt).toMatch(/^20\d\d-.*Z$/)
    // By the address of its socket, too.
    expect((await runCommand(['ls', 'te', '--url', server.socketUrl])).stdout).toBe('team/notes\n')
  })
})

describe('weft cat', () => {
  const server = sharedServer()

  it('prints documents in each form, by the names that `weft ls` prints', async () => {
    await putMarkdown(server(), 'two words', '# A\n')
    await putMarkdown(server(), 'b', 'B & c')
    expect(await weft(server(), 'cat', '"two words"', 'b')).toMatchObject({ code: 0, stdout: '# A\nB & c\n' })
    expect((await weft(server(), 'cat', 'b', '--format', 'html')).stdout).toBe('<p>B &amp; c</p>')
    const json = JSON.parse((await weft(server(), 'cat', 'b', '--format', 'json', '--json')).stdout)
    expect(json).toMatchObject({ document: 'b', version: 1, leftOut: 0, content: { type: 'doc' } })
    const yjs = JSON.parse((await weft(server(), 'cat', 'b', '--format', 'yjs', '--json')).stdout)
    const ydoc = new Y.Doc()
    Y.applyUpdate(ydoc, Buffer.from(yjs.content, 'base64'))
    expect(toMarkdown({ ydoc })).toBe('B & c\n')
  })

  it('says which it can’t print, prints the others, and ends with 1', async () => {
    await putMarkdown(server(), 'there', 'x')
    await RawClient.join(`${server().socketUrl}/drawing`).then(client => client.commit(typist(1).type('shapes')))
    const { code, stdout, stderr } = await weft(server(), 'cat', 'missing', 'drawing', 'there')
    expect([code, stdout]).toEqual([1, 'x\n'])
    expect(lines(stderr)).toEqual([
      'weft: missing: there is no such document',
      expect.stringMatching(/^weft: drawing: the document has no text; what it holds is called "text"$/),
    ])
  })
})

describe('weft export', () => {
  const server = sharedServer()

  it('writes one document in the form that the file’s name tells, over what was there', async () => {
    await putMarkdown(server(), 'one', '# One\n')
    const folder = await testFolder()
    const forms = { 'a.md': '# One\n', 'b.html': '<h1>One</h1>', 'new/c.JSON': expect.stringContaining('"heading"') }
    await writeFile(join(folder, 'a.md'), 'old and longer than the new one')
    for (const [file, content] of Object.entries(forms)) {
      expect((await weft(server(), 'export', 'one', join(folder, file))).code).toBe(0)
      expect(await readFile(join(folder, file), 'utf8')).toEqual(content)
    }
    expect((await weft(server(), 'export', 'one', join(folder, 'd.yjs'))).code).toBe(0)
    const ydoc = new Y.Doc()
    Y.applyUpdate(ydoc, await readFile(join(folder, 'd.yjs')))
    expect(textOf({ ydoc })).toBe('One')
    expect((await weft(server(), 'export', 'one', join(folder, 'e.pdf'))).code).toBe(2)
    // Nothing is left beside.
    expect((await readdir(folder)).sort()).toEqual(['a.md', 'b.html', 'd.yjs', 'new'])
  })

  it('leaves the file as it was where the document can’t be had', async () => {
    const file = join(await testFolder(), 'kept.md')
    await writeFile(file, 'kept')
    expect((await weft(server(), 'export', 'never', file)).code).toBe(1)
    expect(await readFile(file, 'utf8')).toBe('kept')
  })

  it('writes all of a prefix into a folder, says what it couldn’t, and ends with 1 then', async () => {
    const own = await testServer()
    for (const name of ['t/a', 't/a.md/b', 't/Größe 🌊', 'u']) await putMarkdown(own, name, name)
    const folder = await testFolder()
    // A folder where a file should be.
    await mkdir(join(folder, 't', 'a.md'), { recursive: true })
    const { code, stdout, stderr } = await weft(own, 'export', '--prefix', 't/', folder, '--json')
    expect(code).toBe(1)
    const reports = lines(stdout).map(line => JSON.parse(line))
    expect(reports.map(({ document, problem }) => [document, problem === null])).toEqual([
      ['t/Größe 🌊', true],
      ['t/a', false],
      ['t/a.md/b', true],
    ])
    expect(stderr).toContain('weft: t/a: ')
    expect(await readFile(join(folder, 't', 'Größe 🌊.md'), 'utf8')).toBe('t/Größe 🌊\n')
    expect(await readFile(join(folder, 't', 'a.md', 'b.md'), 'utf8')).toBe('t/a.md/b\n')
  })
})

describe('weft rm', () => {
  it('deletes, tells those who have it open, and says what wasn’t there', async () => {
    const server = await testServer()
    await putMarkdown(server, 'other', 'x')
    const person = await program(server, 'doomed', 'x')
    const { code, stdout, stderr } = await weft(server, 'rm', 'doomed', 'never', 'other', '--json')
    expect([code, lines(stderr)]).toEqual([1, ['weft: never: there is no such document']])
    expect(lines(stdout).map(line => JSON.parse(line))).toEqual([
      { document: 'doomed', deleted: true, problem: null },
      { document: 'never', deleted: false, problem: 'there is no such document' },
      { document: 'other', deleted: true, problem: null },
    ])
    await eventually('the end of the session', () => person.status === 'refused')
    expect((await weft(server, 'ls')).stdout).toBe('')
  })
})

describe('with a secret, the token in WEFT_TOKEN', () => {
  const server = sharedServer(asksForTokens)
  const run = (token: string, ...args: string[]) => runCommand(args, { WEFT_URL: server().url, WEFT_TOKEN: token })

  it('lets a viewer read and an owner delete; without one, or with an old one, nothing is done', async () => {
    await putMarkdown(server(), 'a', 'x', await tokenFor('owner'))
    const expired = await sign({ exp: nowInSeconds() - 60, docs: [{ prefix: '', role: 'owner' }] })
    for (const token of ['', 'nonsense', expired]) {
      for (const args of [['ls'], ['cat', 'a'], ['rm', 'a']]) {
        const { code, stdout, stderr } = await run(token, ...args)
        expect([code, stdout]).toEqual([1, ''])
        expect(stderr).toMatch(/^weft: .*\(WEFT_TOKEN\)\n$/)
      }
    }
    const viewer = await tokenFor('viewer')
    expect((await run(viewer, 'ls')).stdout).toBe('a\n')
    expect((await run(viewer, 'cat', 'a')).stdout).toBe('x\n')
    expect(await run(viewer, 'rm', 'a')).toMatchObject({
      code: 1,
      stderr: 'weft: a: this needs the role owner, and the token gives viewer\n',
    })
    expect((await run(await tokenFor('owner'), 'rm', 'a')).code).toBe(0)
    const gone = await api(server(), 'GET', apiPath('a'), { token: viewer })
    expect(gone.code).toBe('deleted')
  })
})
