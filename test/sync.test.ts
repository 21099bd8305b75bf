import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { append, fragmentOf, replaceDocument, replaceText, textOf, toMarkdown } from '@weft/client/text'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { putMarkdown } from './support/apiClient.ts'
import { program } from './support/editing.ts'
import { eventually } from './support/eventually.ts'
import { freePort } from './support/freePort.ts'
import { ServerProcess } from './support/ServerProcess.ts'
import { canMount, SmallDisk } from './support/smallDisk.ts'
import { sharedServer, testFolder, testServer } from './support/testServer.ts'
import { asksForTokens, tokenFor } from './support/tokens.ts'
import { runCommand } from './support/weftCommand.ts'
import { bothSay, readText, SyncProcess } from './sync/SyncProcess.ts'

/** What a document says, without the order, which concurrent edits may choose. */
const linesOf = (document: { ydoc: Y.Doc }) => textOf(document).split('\n').sort().join()

/**
 * Saves as most editors do. (Where a file is written in place within the same tick of the system's clock in which it was read,
 * nobody knows what came first.)
 */
const save = (file: string, text: string) => {
  writeFileSync(`${file}.new`, text)
  renameSync(`${file}.new`, file)
}

describe('weft sync FILE DOCUMENT', () => {
  const server = sharedServer()
  let documents = 0

  /** A document with a program in it, a file that is not there yet, and a way to sync the two. */
  const setUp = async (markdown = '') => {
    const folder = await testFolder()
    const name = `test-${documents++}`
    const document = await program(server(), name, markdown)
    const file = join(folder, 'notes.md')
    const state = join(folder, 'state')
    const start = (...options: string[]) => new SyncProcess(server().url, state, file, name, ...options)
    const once = () => runCommand(['sync', '--once', file, name], { WEFT_URL: server().url, XDG_STATE_HOME: state })
    return { folder, name, document, file, state, start, once }
  }

  it('writes the file, takes in what is saved, shows itself, and ends with 130', async () => {
    const { document, file, start } = await setUp('# Notes\n\nfirst')
    const sync = start()
    await bothSay(file, document, '# Notes\n\nfirst\n')
    writeFileSync(file, '# Notes\n\nfirst\n\nfrom the file\n')
    await bothSay(file, document, '# Notes\n\nfirst\n\nfrom the file\n')
    append(document, 'from the document')
    await bothSay(file, document, '# Notes\n\nfirst\n\nfrom the file\n\nfrom the document\n')
    const names = [...document.awareness.getStates().values()].map(({ user }) => user?.name)
    expect(names).toContain('notes.md (sync)')
    expect(await sync.stop()).toMatchObject({ code: 130, stderr: '' })
    expect(sync.events.map(({ event }) => event)).toEqual(['written', 'taken', 'written'])
    expect(readdirSync(join(file, '..')).sort()).toEqual(['notes.md', 'state'])
  })

  it('keeps line ends, byte order mark, missing last line end, rights and the author’s formatting', async () => {
    const { document, file, start } = await setUp()
    writeFileSync(file, '\ufeffTitle\r\n=====\r\n\r\n* a\r\n* b\r\n\r\nend')
    chmodSync(file, 0o640)
    start()
    await eventually('the text', () => textOf(document) === 'Title\na\nb\nend')
    replaceText(document, 'end', 'the end')
    const wanted = '\ufeffTitle\r\n=====\r\n\r\n* a\r\n* b\r\n\r\nthe end'
    await eventually('the file', () => readText(file) === wanted).catch(() => expect(readText(file)).toBe(wanted))
    expect(statSync(file).mode & 0o777).toBe(0o640)
    expect(textOf(document)).toBe('Title\na\nb\nthe end')
  })

  it('writes the file that a link leads to', async () => {
    const { document, file, folder, start } = await setUp('one')
    mkdirSync(join(folder, 'real'))
    writeFileSync(join(folder, 'real', 'text.md'), '')
    symlinkSync('real/text.md', file)
    start()
    await bothSay(file, document, 'one\n')
    expect(lstatSync(file).isSymbolicLink()).toBe(true)
    writeFileSync(file, 'one\n\ntwo\n')
    await bothSay(file, document, 'one\n\ntwo\n')
  })

  it('doesn’t believe an empty file at once, and believes one that stays so', async () => {
    const { document, file, start } = await setUp('one\n\ntwo')
    const sync = start()
    await bothSay(file, document, 'one\n\ntwo\n')
    let shortest = textOf(document).length
    document.ydoc.on('update', () => {
      shortest = Math.min(shortest, textOf(document).length)
    })
    writeFileSync(file, '')
    replaceText(document, 'two', 'two too')
    await document.saved()
    writeFileSync(file, 'one\n\ntwo\n\nthree\n')
    await bothSay(file, document, 'one\n\ntwo too\n\nthree\n')
    expect(shortest).toBe('one\ntwo'.length)
    const from = sync.events.length
    save(file, '')
    // Where the file system doesn't tell that it was read (`noatime`), it is believed the second time.
    const isKept = () => sync.events.slice(from).some(({ event }) => event === 'written')
    await eventually('an end', () => textOf(document) === '' || isKept())
    if (textOf(document) !== '') save(file, '')
    await eventually('an empty document', () => textOf(document) === '')
  })

  it('keeps both where an editor saves what it had loaded before the document changed', async () => {
    const { document, file, start } = await setUp('one')
    const sync = start()
    await bothSay(file, document, 'one\n')
    readFileSync(file)
    append(document, 'two')
    await sync.says({ event: 'written' }, 1)
    writeFileSync(file, 'one\n\nmine\n')
    await sync.says({ event: 'note', message: 'both are kept' })
    await eventually('all lines', () => readText(file) === toMarkdown(document) && linesOf(document) === 'mine,one,two')
    // Who has loaded it deletes it like anything else.
    readFileSync(file)
    save(file, 'one\n\nmine\n')
    await bothSay(file, document, 'one\n\nmine\n')
  })

  it('deletes what nobody has loaded when the same text is saved a second time', async () => {
    const { document, file, start } = await setUp('one')
    const sync = start()
    await sync.says({ event: 'written' })
    readFileSync(file)
    append(document, 'two')
    await sync.says({ event: 'written' }, 1)
    writeFileSync(file, 'one\n')
    await sync.says({ event: 'written' }, 2)
    expect(toMarkdown(document)).toBe('one\n\ntwo\n')
    writeFileSync(file, 'one\n')
    await bothSay(file, document, 'one\n')
  })

  it('brings together what both sides wrote while it did not run, also where one deleted what the other changed', async () => {
    const { document, file, start } = await setUp('one\n\ntwo\n\nthree\n\nfour')
    const first = start()
    await bothSay(file, document, 'one\n\ntwo\n\nthree\n\nfour\n')
    await first.stop()
    writeFileSync(file, 'one\n\nthree and mine\n\nfour\n\nfive\n')
    replaceDocument(document, 'zero\n\none\n\ntwo and theirs\n\nfour\n')
    await document.saved()
    start()
    await bothSay(file, document, 'zero\n\none\n\ntwo and theirs\n\nthree and mine\n\nfour\n\nfive\n')
  })

  it('keeps the lines of both sides where it doesn’t know what they had in common', async () => {
    const { document, file, state, start } = await setUp('one\n\ntwo\n\nthree')
    const first = start()
    await bothSay(file, document, 'one\n\ntwo\n\nthree\n')
    await first.stop()
    rmSync(state, { recursive: true })
    writeFileSync(file, 'one\n\nmine\n\nthree\n')
    const second = start()
    await bothSay(file, document, 'one\n\ntwo\n\nmine\n\nthree\n')
    await second.says({ event: 'note', message: 'the lines of both sides are kept' })
  })

  it('is killed at any moment, and goes on with what it knew', async () => {
    const { document, file, start } = await setUp('one')
    const first = start()
    await bothSay(file, document, 'one\n')
    writeFileSync(file, 'one\n\ntwo\n')
    await first.says({ event: 'taken' })
    await first.kill()
    append(document, 'three')
    await document.saved()
    start()
    await eventually(
      'both lines',
      () => readText(file) === toMarkdown(document) && linesOf(document) === 'one,three,two',
    )
  })

  it('leaves what Markdown can’t say, and what it doesn’t know, in the document', async () => {
    const { document, file, start } = await setUp('one')
    const image = new Y.XmlElement<Record<string, string | number>>('image')
    image.setAttribute('src', 'a.png')
    image.setAttribute('width', 300)
    const video = new Y.XmlElement('video')
    fragmentOf(document).insert(1, [image as unknown as Y.XmlElement, video])
    const sync = start()
    await eventually('the file', () => readText(file) === 'one\n\n![](a.png)\n')
    writeFileSync(file, 'one more\n\n![](a.png)\n\nlast\n')
    await sync.says({ event: 'taken' })
    await eventually('the text', () => textOf(document) === 'one more\nlast')
    expect(fragmentOf(document).toString()).toMatch(/<image [^>]*width="300"[^>]*><\/image>/)
    expect(fragmentOf(document).toString()).toContain('<video></video>')
  })

  it('says what it can’t take in or write, leaves both as they are, and goes on when it can', async () => {
    const { document, file, start } = await setUp('one')
    const sync = start()
    await bothSay(file, document, 'one\n')
    writeFileSync(file, Uint8Array.of(0x6f, 0xff, 0x0a))
    await sync.says({ event: 'problem', message: 'it is not UTF-8' })
    append(document, 'two')
    writeFileSync(file, 'x'.repeat(4 * 2 ** 20 + 1))
    await sync.says({ event: 'problem', message: '4194305 bytes, over 4194304' })
    rmSync(file)
    mkdirSync(file)
    await sync.says({ event: 'problem', message: 'it is a folder' })
    rmSync(file, { recursive: true })
    writeFileSync(file, 'one\n\nfile\n')
    await eventually('all lines', () => linesOf(document) === 'file,one,two')
    await bothSay(file, document, toMarkdown(document))
    chmodSync(file, 0o444)
    append(document, 'last')
    await sync.says({ event: 'problem', message: 'it is write-protected' })
    expect(readText(file)).not.toContain('last')
    chmodSync(file, 0o644)
    await bothSay(file, document, toMarkdown(document))
    expect(readText(file)).toContain('last')
  })

  it('says when the file is deleted, and takes in a new one', async () => {
    const { document, file, start } = await setUp('one')
    const sync = start()
    await bothSay(file, document, 'one\n')
    rmSync(file)
    await sync.says({ event: 'note', message: 'the file was deleted; the document stays' })
    append(document, 'two')
    await document.saved()
    save(file, 'one\n\nagain\n')
    await eventually(
      'all lines',
      () => readText(file) === toMarkdown(document) && linesOf(document) === 'again,one,two',
    )
  })

  it('refuses a second process on the same file', async () => {
    const { document, file, start, once } = await setUp('one')
    const sync = start()
    await bothSay(file, document, 'one\n')
    expect(await once()).toMatchObject({ code: 1, stderr: expect.stringContaining('is synced by another process') })
    await sync.kill()
    expect(await once()).toMatchObject({ code: 0 })
  })

  it('--once brings both into step and ends with 0, or 1 where it can’t', async () => {
    const { document, file, once } = await setUp('one')
    expect(await once()).toMatchObject({ code: 0, stdout: expect.stringMatching(/^written /) })
    expect(readText(file)).toBe('one\n')
    writeFileSync(file, 'one\n\ntwo\n')
    expect(await once()).toMatchObject({ code: 0, stdout: expect.stringMatching(/^taken /) })
    expect(toMarkdown(document)).toBe('one\n\ntwo\n')
    expect(await once()).toEqual({ code: 0, signal: null, stdout: '', stderr: '' })
    writeFileSync(file, Uint8Array.of(0xff))
    expect(await once()).toMatchObject({ code: 1, stderr: expect.stringContaining('it is not UTF-8') })
  })

  it('is called in the right way, or ends with 2', async () => {
    const folder = await testFolder()
    const calls = [
      [],
      ['a.md'],
      ['a.md', 'b', 'c'],
      ['a.md', 'b//c'],
      ['a.md', 'b', '--delete'],
      [`${folder}/`, 'no-slash'],
    ]
    const env = { WEFT_URL: 'http://127.0.0.1:1', XDG_STATE_HOME: folder }
    const results = await Promise.all(calls.map(args => runCommand(['sync', ...args], env)))
    for (const { code, stderr } of results) expect([stderr, code, stderr.split('\n').length]).toEqual([stderr, 2, 2])
  })

  it.skipIf(!canMount)('says that the disk is full, loses nothing, and goes on when there is room', async () => {
    const { document, name } = await setUp('one')
    const disk = await SmallDisk.mount(1)
    const file = join(disk.folder, 'notes.md')
    const sync = new SyncProcess(server().url, await testFolder(), file, name)
    await bothSay(file, document, 'one\n')
    await disk.fill()
    append(document, 'two '.repeat(3_000))
    await sync.says({ event: 'problem', message: 'ENOSPC' })
    expect(readText(file)).toBe('one\n')
    await disk.empty()
    await bothSay(file, document, toMarkdown(document))
    expect(readdirSync(disk.folder)).toEqual(['notes.md'])
  })
})

describe('weft sync and the server', () => {
  it('waits for one, goes on without it, and brings both together', async () => {
    const folder = await testFolder()
    const port = await freePort()
    const file = join(folder, 'notes.md')
    writeFileSync(file, 'one\n')
    const sync = new SyncProcess(`http://127.0.0.1:${port}`, join(folder, 'state'), file, 'a')
    const server = await ServerProcess.start({ folder: join(folder, 'data'), port })
    onTestFinished(() => server.kill())
    await sync.says({ event: 'taken' })
    const document = await program(server, 'a')
    await bothSay(file, document, 'one\n')
    await server.kill()
    writeFileSync(file, 'one\n\nfrom the file\n')
    append(document, 'from the document')
    await server.start()
    document.reconnect()
    await eventually(
      'all lines',
      () => readText(file) === toMarkdown(document) && textOf(document).split('\n').length === 3,
    )
  })

  it('takes nothing in with a token that may only read', async () => {
    const server = await testServer(asksForTokens)
    const folder = await testFolder()
    const file = join(folder, 'notes.md')
    await putMarkdown(server, 'a', 'one', await tokenFor('editor'))
    const env = { WEFT_URL: server.url, XDG_STATE_HOME: join(folder, 'state'), WEFT_TOKEN: await tokenFor('viewer') }
    expect(await runCommand(['sync', '--once', file, 'a'], env)).toMatchObject({ code: 0 })
    writeFileSync(file, 'one\n\nmine\n')
    expect(await runCommand(['sync', '--once', file, 'a'], env)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('it can only be read here'),
    })
    expect(readText(file)).toBe('one\n\nmine\n')
    const { WEFT_TOKEN: _, ...without } = env
    expect(await runCommand(['sync', '--once', file, 'a'], without)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('4401'),
    })
  })
})

it('completes documents and files', async () => {
  const { stdout } = await runCommand(['completion', 'bash'])
  expect(stdout).toMatch(/sync\) flags=".*--once/)
})
