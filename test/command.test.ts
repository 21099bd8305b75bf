import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { connect } from '@weft/client'
import { append, fragmentOf, replaceText, textOf, toMarkdown } from '@weft/client/text'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { api, apiPath, putMarkdown } from './support/apiClient.ts'
import { has, program } from './support/editing.ts'
import { eventually } from './support/eventually.ts'
import { freePort } from './support/freePort.ts'
import { RawClient } from './support/RawClient.ts'
import type { ServerProcess } from './support/ServerProcess.ts'
import { sharedServer, testFolder, testServer } from './support/testServer.ts'
import { asksForTokens, nowInSeconds, sign, tokenFor } from './support/tokens.ts'
import { typist } from './support/typist.ts'
import { BIN, runCommand, startCommand } from './support/weftCommand.ts'

/** Runs a verb on a server. */
const weft = (server: ServerProcess, ...args: string[]) => runCommand(args, { WEFT_URL: server.url })

const lines = (text: string) => text.split('\n').filter(line => line !== '')

describe('weft', () => {
  const OF_STORES = ['backup', 'restore', 'verify']
  const VERBS = [
    'serve',
    'ls',
    'cat',
    'export',
    'import',
    'append',
    'replace',
    'tail',
    'sync',
    'rm',
    'token',
    'link',
    ...OF_STORES,
    'mcp',
    'completion',
  ]

  it('lists its verbs, and each has help with examples', async () => {
    const { stdout, code } = await runCommand(['--help'])
    expect(code).toBe(0)
    for (const verb of VERBS) expect(stdout).toMatch(new RegExp(`^  ${verb} `, 'm'))
    const helps = await Promise.all(VERBS.slice(1).map(verb => runCommand([verb, '--help'])))
    helps.forEach((help, index) => {
      expect([VERBS[index + 1], help.code, help.stderr]).toEqual([VERBS[index + 1], 0, ''])
      expect(help.stdout).toMatch(/\n\nExamples:\n {2}.*weft /)
    })
  })

  it('has its version, and help by either way of asking', async () => {
    expect(await runCommand(['--version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    })
    expect((await runCommand(['help', 'cat'])).stdout).toBe((await runCommand(['cat', '--help'])).stdout)
  })

  it('called in a wrong way ends with 2 and one line', async () => {
    const calls = [[], ['cat', 'a//b'], ['cat', 'a', '--format', 'pdf'], ['ls', 'a', 'b'], ['fly']]
    const results = await Promise.all(calls.map(args => runCommand(args, { WEFT_URL: 'http://127.0.0.1:1' })))
    for (const { code, stderr } of results) expect([code, lines(stderr).length <= 1]).toEqual([2, true])
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
    const json = lines((await weft(server(), 'cat', '--json', 'missing', 'there')).stdout).map(line => JSON.parse(line))
    expect(json).toEqual([
      { document: 'missing', problem: 'there is no such document' },
      { document: 'there', version: 1, leftOut: 0, content: 'x\n', problem: null },
    ])
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

describe('weft link', () => {
  const server = sharedServer(asksForTokens)
  const run = (token: string, ...args: string[]) =>
    runCommand(['link', ...args], { WEFT_URL: server().url, WEFT_TOKEN: token })

  it('makes a link that lets people in, lists it with its uses, and takes it back', async () => {
    const owner = await tokenFor('owner')
    const made = await run(owner, 'make', 'team/notes', '--role', 'editor', '--expires', '30m', '--uses', '2')
    expect(made).toMatchObject({ code: 0, stderr: '' })
    const [, secret] = /^http:\/\/127\.0\.0\.1:\d+\/s#([\w-]{22})\n$/.exec(made.stdout) ?? []
    const exchange = () =>
      api(server(), 'POST', '/api/v1/links/exchange', {
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ secret }),
      })
    expect((await exchange()).status).toBe(200)
    const listed = await run(owner, 'list', 'team/notes')
    expect(listed.stdout).toMatch(/^[\w-]{16} {2}team\/notes {2}editor, until \S+Z, used 1 of 2, last \S+Z, by ann\n$/)
    const link = JSON.parse((await run(owner, 'list', '--json')).stdout)
    expect(link).toMatchObject({ document: 'team/notes', role: 'editor', uses: 1, maxUses: 2, creator: 'ann' })
    const revoked = await run(owner, 'revoke', link.id, 'nothing', '--json')
    expect(revoked.code).toBe(1)
    expect(lines(revoked.stdout).map(line => JSON.parse(line))).toMatchObject([
      { id: link.id, revoked: true, problem: null },
      { id: 'nothing', revoked: false, problem: expect.stringContaining('no such link') },
    ])
    expect((await exchange()).status).toBe(404)
    expect(await run(owner, 'list')).toMatchObject({ code: 0, stdout: '' })
  })

  it('says what is in the way, and what is wrong with a call', async () => {
    expect(await run(await tokenFor('editor'), 'make', 'a')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('needs the role owner'),
    })
    const wrong = [
      [],
      ['give', 'a'],
      ['make'],
      ['make', 'a', 'b'],
      ['make', 'a', '--role', 'king'],
      ['make', 'a', '--expires', 'soon'],
      ['make', 'a', '--uses', '0'],
      ['list', '--role', 'viewer'],
      ['revoke'],
    ]
    const owner = await tokenFor('owner')
    for (const { code, stdout } of await Promise.all(wrong.map(args => run(owner, ...args)))) {
      expect([code, stdout]).toEqual([2, ''])
    }
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
    const back = await weft(server, 'rm', '--restore', 'doomed', 'never', '--json')
    expect([back.code, lines(back.stdout).map(line => JSON.parse(line))]).toEqual([
      1,
      [
        { document: 'doomed', restored: true, problem: null },
        { document: 'never', restored: false, problem: 'this document is not in the bin' },
      ],
    ])
    expect((await weft(server, 'cat', 'doomed')).stdout).toBe('x\n')
  })
})

describe('weft import FILE', () => {
  const server = sharedServer()

  it('makes the document say what the file says, and keeps what is equal', async () => {
    const file = join(await testFolder(), 'notes.md')
    await writeFile(file, 'One.\n\nTwo.')
    expect(await weft(server(), 'import', file, 'i/a b')).toMatchObject({ code: 0, stdout: 'created  "i/a b"\n' })
    const reader = await program(server(), 'i/a%20b')
    const kept = fragmentOf(reader).get(0)
    await writeFile(file, 'One.\n\nTwo and more.')
    const { stdout } = await weft(server(), 'import', file, 'i/a b', '--json')
    expect(JSON.parse(stdout)).toEqual({ document: 'i/a b', state: 'changed' })
    await has(reader, 'One.\nTwo and more.')
    expect(fragmentOf(reader).get(0)).toBe(kept)
    expect((await weft(server(), 'import', file, 'i/a b')).stdout).toBe('unchanged  "i/a b"\n')
  })

  it('takes what `weft export` writes in each form, and merges a Yjs update', async () => {
    const folder = await testFolder()
    const markdown = '# A\n\n- [x] **b**\n- [ ] c\n\n```js\nd\n```\n'
    await putMarkdown(server(), 'from', markdown)
    for (const extension of ['md', 'html', 'json', 'yjs']) {
      const file = join(folder, `f.${extension}`)
      expect((await weft(server(), 'export', 'from', file)).code).toBe(0)
      expect((await weft(server(), 'import', file, `to/${extension}`)).code).toBe(0)
      expect((await weft(server(), 'cat', `to/${extension}`)).stdout).toBe(markdown)
    }
    // Once more brings nothing twice.
    expect((await weft(server(), 'import', join(folder, 'f.yjs'), 'to/yjs')).stdout).toBe('merged  to/yjs\n')
    expect((await weft(server(), 'cat', 'to/yjs')).stdout).toBe(markdown)
  })

  it('takes standard input, and says what it can’t take', async () => {
    const env = { WEFT_URL: server().url }
    expect((await runCommand(['import', '-', 'piped'], env, '# Piped')).code).toBe(0)
    expect((await weft(server(), 'cat', 'piped')).stdout).toBe('# Piped\n')
    const json = await runCommand(['import', '-', 'bad', '--format', 'json'], env, '{"type":"nothing"}')
    expect([json.code, json.stderr]).toEqual([1, expect.stringMatching(/^weft: not a document: .*\n$/)])
    const update = await runCommand(['import', '-', 'bad', '--format', 'yjs'], env, 'nonsense')
    expect([update.code, lines(update.stderr).length]).toEqual([1, 1])
    expect((await weft(server(), 'import', '/nowhere.md', 'bad')).stderr).toMatch(/^weft: ENOENT/)
    expect((await weft(server(), 'import', 'a.pdf', 'bad')).code).toBe(2)
    expect((await weft(server(), 'import', 'a.md', 'bad', '--dry-run')).code).toBe(2)
    expect((await weft(server(), 'cat', 'bad')).code).toBe(1)
  })

  it('brings a deleted document back only where that is said', async () => {
    const env = { WEFT_URL: server().url }
    await putMarkdown(server(), 'phoenix', 'Old.')
    await weft(server(), 'rm', 'phoenix')
    expect(await runCommand(['import', '-', 'phoenix'], env, 'New.')).toMatchObject({
      code: 1,
      stderr: 'weft: the document was deleted\n',
    })
    expect((await runCommand(['import', '-', 'phoenix', '--anew'], env, 'New.')).stdout).toBe('created  phoenix\n')
    expect((await weft(server(), 'cat', 'phoenix')).stdout).toBe('New.\n')
  })
})

describe('weft append and replace', () => {
  const server = sharedServer()

  it('add at the end and below a heading, and change no more than they must', async () => {
    const writer = await program(server(), 'e', '## Decisions\n\nShip on *Friday*, not before Friday.')
    const kept = fragmentOf(writer).get(1)
    expect((await weft(server(), 'append', 'e', '- bought **milk**')).code).toBe(0)
    expect((await weft(server(), 'append', 'e', 'None.', '--below', 'Decisions', '--json')).stdout).toBe(
      '{"document":"e","block":1}\n',
    )
    expect((await runCommand(['append', 'e'], { WEFT_URL: server().url }, 'Piped.\n')).code).toBe(0)
    expect((await weft(server(), 'replace', 'e', 'Friday', 'Monday')).stdout).toBe('1 replaced\n')
    await has(writer, 'Decisions\nNone.\nShip on Monday, not before Friday.\nbought milk\nPiped.')
    expect(toMarkdown(writer)).toContain('Ship on *Monday*, not')
    expect(fragmentOf(writer).get(2)).toBe(kept)
    expect((await weft(server(), 'replace', '--all', 'e', 'o', 'oo', '--json')).stdout).toBe(
      '{"document":"e","replaced":7}\n',
    )
    await has(writer, 'Decisioons\nNoone.\nShip oon Moonday, noot befoore Friday.\nboought milk\nPiped.')
  })

  it('begin a document that isn’t there by appending, and change nothing where the text isn’t found', async () => {
    expect((await weft(server(), 'append', 'begun', 'x')).code).toBe(0)
    expect((await weft(server(), 'cat', 'begun')).stdout).toBe('x\n')
    const missing = await weft(server(), 'replace', 'begun', 'y', 'z')
    expect([missing.code, missing.stderr]).toEqual([1, 'weft: begun: no block of the document contains "y"\n'])
    expect((await weft(server(), 'replace', 'never', 'y', 'z', '--all')).code).toBe(1)
    expect((await weft(server(), 'append', 'begun', 'y', '--below', 'No')).stderr).toContain('it has none')
    expect((await weft(server(), 'ls')).stdout).not.toContain('never')
  })

  it('edit beside each other and beside people: nothing is lost', async () => {
    const writer = await program(server(), 'together', 'Start.')
    const runs = Array.from({ length: 4 }, (_, i) => weft(server(), 'append', 'together', `Run ${i}.`))
    let typed = 0
    const ended = Promise.all(runs)
    let isOver = false
    void ended.then(() => {
      isOver = true
    })
    while (!isOver) {
      append(writer, `Typed ${++typed}.`)
      await writer.saved()
    }
    for (const { code, stderr } of await ended) expect([code, stderr]).toEqual([0, ''])
    const wanted = [
      'Start.',
      ...Array.from({ length: 4 }, (_, i) => `Run ${i}.`),
      ...Array.from({ length: typed }, (_, i) => `Typed ${i + 1}.`),
    ]
    await eventually('all edits', () => textOf(writer).split('\n').length >= wanted.length)
    expect(textOf(writer).split('\n').sort()).toEqual(wanted.sort())
  })
})

describe('weft tail', () => {
  it('prints what changes and who wrote, also over a restart of the server, until it is interrupted', async () => {
    const server = await testServer()
    const ann = await connect(`${server.socketUrl}/live`, { user: { name: 'Ann', color: '#0f766e' } })
    onTestFinished(() => ann.close({ saved: false }))
    append(ann, 'One.\n\nTwo.')
    await ann.saved()
    const said: { line: number; removed: string[]; inserted: string[]; by: string[] }[] = []
    const env = { WEFT_URL: server.url }
    const { child, result } = startCommand(['tail', 'live', '--json'], env, line => said.push(JSON.parse(line)))
    const following = once(child.stderr ?? child, 'data')
    expect(String(await following)).toBe('weft: following live\n')
    replaceText(ann, 'Two', 'Two and a half')
    await eventually('the first change', () => said.length === 1)
    expect(said[0]).toEqual({ line: 2, removed: ['Two.'], inserted: ['Two and a half.'], by: ['Ann'] })
    await server.stop()
    await server.start()
    append(ann, 'After \u001b[31m the restart.')
    await ann.saved()
    await eventually('the second change', () => said.length === 2)
    expect(said[1]).toMatchObject({ line: 3, removed: [], inserted: [expect.stringContaining('the restart.')] })
    child.kill('SIGINT')
    expect(await result).toMatchObject({ code: 130, stderr: 'weft: following live\n' })
  })

  it('ends when the document is deleted: 1', async () => {
    const server = await testServer()
    await putMarkdown(server, 'doomed', 'x')
    const { child, result } = startCommand(['tail', 'doomed'], { WEFT_URL: server.url })
    await once(child.stderr ?? child, 'data')
    await weft(server, 'rm', 'doomed')
    expect(await result).toMatchObject({ code: 1, stderr: expect.stringContaining('the document was deleted (4404)') })
  })
})

describe('weft completion', () => {
  it('makes bash complete verbs, options and documents, but no name that a shell would run', async () => {
    const server = await testServer()
    for (const name of ['team/a', 'team/ü', 'team/$(touch x)', 'team/a b', 'team/`x`', "team/'", 'other']) {
      await putMarkdown(server, name, 'x')
    }
    const { stdout: script } = await runCommand(['completion', 'bash'])
    const complete = async (...words: string[]) => {
      const line = `${script}
        weft() { ${process.execPath} ${BIN} "$@"; }
        COMP_WORDS=(weft "$@"); COMP_CWORD=$#; _weft; printf '%s\\n' "\${COMPREPLY[@]}"`
      const env = { ...process.env, WEFT_URL: server.url }
      const { stdout } = await promisify(execFile)('bash', ['--norc', '-c', line, 'bash', ...words], { env })
      return lines(stdout)
    }
    expect(await complete('repl')).toEqual(['replace'])
    expect(await complete('ls', '--')).toEqual(['--url', '--json', '--help'])
    expect(await complete('cat', 'team/')).toEqual(['team/a', 'team/ü'])
    expect(await complete('cat', 'a', 'oth')).toEqual(['other'])
  })

  it('is there for zsh and fish', async () => {
    expect((await runCommand(['completion', 'zsh'])).stdout).toMatch(/^#compdef weft\n/)
    expect((await runCommand(['completion', 'fish'])).stdout).toMatch(/^complete -c weft -f\n/)
    expect((await runCommand(['completion', 'tcsh'])).code).toBe(2)
  })
})

describe('with a secret, the token in WEFT_TOKEN', () => {
  const server = sharedServer(asksForTokens)
  const run = (token: string, ...args: string[]) => runCommand(args, { WEFT_URL: server().url, WEFT_TOKEN: token })

  it('lets a viewer read and an owner delete; without one, or with an old one, nothing is done', async () => {
    await putMarkdown(server(), 'a', 'x', await tokenFor('owner'))
    const expired = await sign({ exp: nowInSeconds() - 60, docs: [{ prefix: '', role: 'owner' }] })
    const calls = [['ls'], ['cat', 'a'], ['rm', 'a']].flatMap(args => ['', expired].map(token => run(token, ...args)))
    for (const { code, stdout, stderr } of await Promise.all(calls)) {
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toMatch(/^weft: .*\(WEFT_TOKEN\)\n$/)
    }
    const viewer = await tokenFor('viewer')
    const broken = await run('two words', 'ls')
    expect([broken.code, broken.stderr]).toEqual([2, expect.stringMatching(/^weft: WEFT_TOKEN is no token: /)])
    expect((await run(viewer, 'ls')).stdout).toBe('a\n')
    expect((await run(viewer, 'cat', 'a')).stdout).toBe('x\n')
    expect(await run(viewer, 'rm', 'a')).toMatchObject({
      code: 1,
      stderr: 'weft: a: this needs the role owner, and the token gives viewer\n',
    })
    for (const args of [
      ['append', 'a', 'y'],
      ['replace', 'a', 'x', 'y'],
    ]) {
      const { code, stderr } = await run(viewer, ...args)
      expect([args, code, stderr]).toEqual([args, 1, 'weft: refused: there is no right to write it (WEFT_TOKEN)\n'])
    }
    expect((await run(expired, 'append', 'a', 'y')).stderr).toContain('the server asks for another token (WEFT_TOKEN)')
    expect((await run(viewer, 'cat', 'a')).stdout).toBe('x\n')
    expect((await run(await tokenFor('owner'), 'rm', 'a')).code).toBe(0)
    const gone = await api(server(), 'GET', apiPath('a'), { token: viewer })
    expect(gone.code).toBe('deleted')
  })
})
