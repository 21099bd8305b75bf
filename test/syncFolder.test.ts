import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { api, apiPath, putMarkdown } from './support/apiClient.ts'
import { eventually } from './support/eventually.ts'
import { sharedServer, testFolder } from './support/testServer.ts'
import { readText, SyncProcess } from './sync/SyncProcess.ts'

describe('weft sync FOLDER/ PREFIX', () => {
  const server = sharedServer()
  let prefixes = 0

  const setUp = async () => {
    const outside = await testFolder()
    const folder = join(outside, 'wiki')
    mkdirSync(folder)
    const prefix = `wiki-${prefixes++}/`
    const put = (name: string, markdown: string) => putMarkdown(server(), prefix + name, markdown)
    const get = async (name: string) => (await api(server(), 'GET', apiPath(prefix + name))).text
    const start = (...options: string[]) =>
      new SyncProcess(server().url, join(outside, 'state'), `${folder}/`, prefix, ...options)
    return { outside, folder, prefix, put, get, start }
  }

  it('makes documents of files and files of documents, also later, and keeps all in step', async () => {
    const { folder, put, get, start } = await setUp()
    await put('a', 'a')
    await put('deep/b', 'b')
    writeFileSync(join(folder, 'c.md'), 'c\n')
    writeFileSync(join(folder, 'other.txt'), 'no\n')
    const sync = start()
    await eventually(
      'the files',
      () => readText(join(folder, 'a.md')) === 'a\n' && readText(join(folder, 'deep/b.md')) === 'b\n',
    )
    await eventually('the document', async () => (await get('c')) === 'c\n')
    mkdirSync(join(folder, 'new'))
    writeFileSync(join(folder, 'new', 'd.md'), 'd\n')
    await put('e', 'e')
    await put('a', 'a\n\nmore')
    await eventually('the new document', async () => (await get('new/d')) === 'd\n')
    await eventually('the new file', () => readText(join(folder, 'e.md')) === 'e\n')
    await eventually('the change', () => readText(join(folder, 'a.md')) === 'a\n\nmore\n')
    expect((await sync.stop()).code).toBe(130)
  })

  it('leaves out names that are none everywhere, and never leaves the folder', async () => {
    const { folder, outside, prefix, put, get, start } = await setUp()
    mkdirSync(join(outside, 'elsewhere'))
    writeFileSync(join(outside, 'elsewhere', 'secret.md'), 'secret\n')
    symlinkSync(join(outside, 'elsewhere'), join(folder, 'link'))
    symlinkSync(join(outside, 'elsewhere', 'secret.md'), join(folder, 'file.md'))
    writeFileSync(join(folder, 'Case.md'), 'upper\n')
    for (const name of ['case', 'con', '.hidden', 'link/written', 'file']) await put(name, `document ${name}`)
    const sync = start('--once')
    expect((await sync.result).code).toBe(1)
    const problems = sync.events
      .filter(({ event }) => event === 'problem')
      .map(({ document, file }) => document ?? file)
    expect(new Set(problems)).toEqual(
      new Set([...['case', 'con', '.hidden', 'link/written', 'file'].map(name => prefix + name), 'link', 'file.md']),
    )
    expect(readdirSync(folder).sort()).toEqual(['Case.md', 'file.md', 'link'])
    expect(readdirSync(join(outside, 'elsewhere'))).toEqual(['secret.md'])
    expect([readText(join(folder, 'file.md')), await get('Case')]).toEqual(['secret\n', 'upper\n'])
  })

  it('leaves what was deleted on one side on the other one', async () => {
    const { folder, prefix, put, get, start } = await setUp()
    await put('a', 'a')
    await put('b', 'b')
    const sync = start()
    await eventually('the files', () => existsSync(join(folder, 'a.md')) && existsSync(join(folder, 'b.md')))
    rmSync(join(folder, 'a.md'))
    await sync.says({ event: 'note', file: 'a.md', message: 'the file was deleted; the document stays' })
    await api(server(), 'DELETE', apiPath(`${prefix}b`), { headers: { 'X-Requested-With': 'test' } })
    await sync.says({ event: 'note', file: 'b.md', message: 'the document was deleted; the file stays' })
    expect([await get('a'), readText(join(folder, 'b.md')), existsSync(join(folder, 'a.md'))]).toEqual([
      'a\n',
      'b\n',
      false,
    ])
  })

  it('--delete deletes it there, too, if nothing has changed there since', async () => {
    const { folder, prefix, put, get, start } = await setUp()
    for (const name of ['a', 'b', 'c', 'd']) await put(name, name)
    const first = start('--once')
    expect((await first.result).code).toBe(0)
    rmSync(join(folder, 'a.md'))
    rmSync(join(folder, 'b.md'))
    await put('b', 'b changed')
    for (const name of ['c', 'd'])
      await api(server(), 'DELETE', apiPath(prefix + name), { headers: { 'X-Requested-With': 'test' } })
    writeFileSync(join(folder, 'd.md'), 'd changed\n')
    const sync = start('--delete')
    await sync.says({ event: 'deleted', file: 'a.md' })
    await sync.says({ event: 'note', file: 'b.md', message: 'it has changed since' })
    await sync.says({ event: 'deleted', file: 'c.md' })
    await sync.says({ event: 'note', file: 'd.md', message: 'it has changed since' })
    expect((await api(server(), 'GET', apiPath(`${prefix}a`))).code).toBe('deleted')
    expect([await get('b'), readText(join(folder, 'd.md')), readdirSync(folder)]).toEqual([
      'b changed\n',
      'd changed\n',
      ['d.md'],
    ])
  })

  it('takes turns where there are more documents than places', async () => {
    const { folder, get, start } = await setUp()
    for (let i = 0; i < 60; i++) writeFileSync(join(folder, `n${i}.md`), `${i}\n`)
    const sync = start()
    await eventually('all documents', () => sync.events.filter(({ event }) => event === 'taken').length === 60)
    for (const i of [0, 31, 59]) {
      writeFileSync(join(folder, `n${i}.md`), `${i}\n\nmore\n`)
      await eventually(`document ${i}`, async () => (await get(`n${i}`)) === `${i}\n\nmore\n`)
    }
  })
})
