import { connect } from '@weft/client'
import { append, textOf } from '@weft/client/text'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type ApiAnswer, api, apiPath, putMarkdown } from './support/apiClient.ts'
import type { ServerProcess } from './support/ServerProcess.ts'
import { readStored } from './support/storedDocument.ts'
import { sharedServer, testServer } from './support/testServer.ts'
import { asksForTokens, sign, tokenFor } from './support/tokens.ts'

const call = (server: ServerProcess, method: string, path: string, body?: object, token?: string) =>
  api(server, method, `/api/v1${path}`, {
    headers: { 'X-Requested-With': 'test', ...(body && { 'Content-Type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
    ...(token !== undefined && { token }),
  })

const remove = (server: ServerProcess, name: string, query = '', token?: string) =>
  api(server, 'DELETE', apiPath(name, query), { headers: { 'X-Requested-With': 'test' }, ...(token && { token }) })

const restore = (server: ServerProcess, document: string, token?: string) =>
  call(server, 'POST', '/bin/restore', { document }, token)

const text = async (server: ServerProcess, name: string) => (await api(server, 'GET', apiPath(name))).text
const json = (answer: ApiAnswer) => JSON.parse(answer.text)
const outcome = ({ status, code }: ApiAnswer) => [status, code]

describe('a deleted document', () => {
  const server = sharedServer()

  it('is in the bin, and comes back as it was, with what a replica wrote meanwhile', async () => {
    const away = await connect(`${server().socketUrl}/kept`)
    onTestFinished(() => away.close({ saved: false }))
    append(away, 'Before.')
    await away.saved()
    away.disconnect()
    append(away, 'Offline.')
    await remove(server(), 'kept')
    expect(outcome(await api(server(), 'GET', apiPath('kept')))).toEqual([410, 'deleted'])
    const { documents } = json(await call(server(), 'GET', '/bin?prefix=kept'))
    expect(documents).toMatchObject([{ name: 'kept', deletedAt: expect.any(String), purgedAt: expect.any(String) }])
    const days = (Date.parse(documents[0].purgedAt) - Date.parse(documents[0].deletedAt)) / 86_400_000
    expect(days).toBe(30)
    expect(json(await restore(server(), 'kept'))).toEqual({ document: 'kept', restored: true })
    expect(await text(server(), 'kept')).toBe('Before.\n')
    away.reconnect()
    await away.saved()
    expect(await text(server(), 'kept')).toBe('Before.\n\nOffline.\n')
    expect(json(await call(server(), 'GET', '/bin?prefix=kept')).documents).toEqual([])
  })

  it('can be deleted for good, from the bin too; then nothing is left but that it was', async () => {
    for (const name of ['gone', 'gone-at-once']) await putMarkdown(server(), name, 'x')
    await remove(server(), 'gone')
    expect((await remove(server(), 'gone', '?purge=true')).status).toBe(200)
    expect((await remove(server(), 'gone-at-once', '?purge=true')).status).toBe(200)
    for (const name of ['gone', 'gone-at-once']) {
      expect(outcome(await restore(server(), name))).toEqual([410, 'deleted'])
      expect(outcome(await api(server(), 'GET', apiPath(name)))).toEqual([410, 'deleted'])
    }
    const { documents } = json(await call(server(), 'GET', '/bin?prefix=gone'))
    expect(documents.map(({ name, purgedAt }: Record<string, unknown>) => [name, purgedAt])).toEqual([
      ['gone', null],
      ['gone-at-once', null],
    ])
    expect(outcome(await restore(server(), 'never'))).toEqual([404, 'not-found'])
    expect(outcome(await remove(server(), 'never', '?purge=true'))).toEqual([404, 'not-found'])
  })

  it('that begins anew is empty, whatever was in the bin', async () => {
    await putMarkdown(server(), 'phoenix', 'Old.')
    await remove(server(), 'phoenix')
    const headers = { 'Content-Type': 'text/markdown' }
    await api(server(), 'PUT', apiPath('phoenix', '?anew=true'), { headers, body: 'New.' })
    expect(await text(server(), 'phoenix')).toBe('New.\n')
    expect(outcome(await restore(server(), 'phoenix'))).toEqual([404, 'not-found'])
  })
})

it('the bin is its owners’, and survives kill -9', async () => {
  const server = await testServer(asksForTokens)
  const owner = await tokenFor('owner')
  await putMarkdown(server, 'mine', 'x', owner)
  await putMarkdown(server, 'other', 'x', owner)
  for (const name of ['mine', 'other']) await remove(server, name, '', owner)
  await server.kill()
  await server.start()
  const one = await sign({
    docs: [
      { document: 'mine', role: 'owner' },
      { document: 'other', role: 'editor' },
    ],
  })
  const names = async (token: string) =>
    json(await call(server, 'GET', '/bin', undefined, token)).documents.map(({ name }: { name: string }) => name)
  expect([await names(owner), await names(one)]).toEqual([['mine', 'other'], ['mine']])
  expect(outcome(await restore(server, 'other', one))).toEqual([403, 'forbidden'])
  expect((await restore(server, 'mine', one)).status).toBe(200)
  const metadata = (token: string) => call(server, 'GET', '/metadata?document=other', undefined, token)
  expect(json(await metadata(owner))).toMatchObject({ state: 'deleted', deletedAt: expect.any(String) })
  expect(outcome(await metadata(one))).toEqual([410, 'deleted'])
})

it('without a bin, what is deleted is gone', async () => {
  const server = await testServer({ WEFT_BIN_DAYS: '0' })
  await putMarkdown(server, 'a', 'x')
  await remove(server, 'a')
  expect(outcome(await restore(server, 'a'))).toEqual([410, 'deleted'])
  await server.stop()
  const { entries, snapshot } = await readStored(server.folder, 'a')
  expect([entries, snapshot]).toEqual([[], null])
})

describe('a document that nobody has written', () => {
  const server = sharedServer()
  const create = (name: string, body: string) =>
    api(server(), 'PUT', apiPath(name), { headers: { 'Content-Type': 'text/markdown', 'If-None-Match': '*' }, body })

  it('[threat D5] is filled by one of several who begin at the same time; the others are told so', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => create('seed', `Seed ${i}.`)))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(answers.filter(({ code }) => code === 'exists')).toHaveLength(9)
    const winner = answers.findIndex(({ status }) => status === 201)
    expect(await text(server(), 'seed')).toBe(`Seed ${winner}.\n`)
    expect(outcome(await create('seed', 'Later.'))).toEqual([412, 'exists'])
  })

  it('[threat D5] is not filled where somebody types in it already', async () => {
    const person = await connect(`${server().socketUrl}/typed`)
    onTestFinished(() => person.close({ saved: false }))
    append(person, 'First.')
    await person.saved()
    expect(outcome(await create('typed', 'Seed.'))).toEqual([412, 'exists'])
    expect(textOf(person)).toBe('First.')
  })

  it('is told apart from one that is there, with its size and its times', async () => {
    const facts = async (name: string) => json(await call(server(), 'GET', `/metadata?document=${name}`))
    expect(await facts('nowhere')).toMatchObject({
      state: 'missing',
      bytes: 0,
      clients: 0,
      version: 0,
      createdAt: null,
    })
    await putMarkdown(server(), 'facts', 'Hello.')
    const person = await connect(`${server().socketUrl}/facts`)
    onTestFinished(() => person.close({ saved: false }))
    append(person, 'World.')
    await person.saved()
    const found = await facts('facts')
    expect(found).toMatchObject({
      document: 'facts',
      state: 'there',
      version: 2,
      clients: 2,
      sessions: 1,
      deletedAt: null,
    })
    expect([found.bytes > 0, found.operations > 12]).toEqual([true, true])
    expect(Date.parse(found.updatedAt)).toBeGreaterThanOrEqual(Date.parse(found.createdAt))
  })
})
