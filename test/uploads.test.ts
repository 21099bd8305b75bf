import { createHash } from 'node:crypto'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type ApiAnswer, api, apiPath, putMarkdown, rawStatus } from './support/apiClient.ts'
import type { ServerProcess } from './support/ServerProcess.ts'
import { sharedServer, testServer } from './support/testServer.ts'
import { asksForTokens, sign, tokenFor } from './support/tokens.ts'

const bytesOf = (text: string) => Buffer.from(text, 'latin1')
const PNG = bytesOf('\x89PNG\r\n\x1a\n and so on')
const SVG = bytesOf('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>')

const limits = { WEFT_MAX_UPLOAD_BYTES: '100000', WEFT_MAX_DOCUMENT_UPLOAD_BYTES: '250000' }
const running = sharedServer({ ...asksForTokens, ...limits })

interface Told {
  path: string
  type: string
  isImage: boolean
  bytes: number
}

/** Uploads as a program does. */
async function upload(
  server: ServerProcess,
  name: string,
  body: Uint8Array,
  { role = 'editor', headers = {} }: { role?: string; headers?: Record<string, string> } = {},
): Promise<ApiAnswer & { told: Told }> {
  const answer = await api(server, 'POST', `${apiPath(name)}/uploads`, {
    token: await tokenFor(role),
    headers: { 'Content-Type': 'application/octet-stream', ...headers },
    body,
  })
  return { ...answer, told: answer.status < 300 ? JSON.parse(answer.text) : null }
}

async function download(server: ServerProcess, path: string, role = 'viewer'): Promise<Response & { body: unknown }> {
  return fetch(server.url + path, { headers: { Authorization: `Bearer ${await tokenFor(role)}` } })
}

describe('[threat E1] a file that is put into a document', () => {
  it.each([
    ['PNG', PNG, 'image/png'],
    ['JPEG', bytesOf('\xff\xd8\xff\xe0 and so on'), 'image/jpeg'],
    ['GIF', bytesOf('GIF89a<script>alert(1)</script>'), 'image/gif'],
    ['WebP', bytesOf('RIFF\x10\0\0\0WEBPVP8 and so on'), 'image/webp'],
    ['AVIF', bytesOf('\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf and so on'), 'image/avif'],
    ['PDF', bytesOf('%PDF-1.7 and so on'), 'application/pdf'],
    ['SVG', SVG, 'application/octet-stream'],
    ['HTML', bytesOf('<!doctype html><script>alert(1)</script>'), 'application/octet-stream'],
    ['MP4', bytesOf('\0\0\0\x18ftypisom\0\0\0\0isomavc1'), 'application/octet-stream'],
    ['almost an AVIF', bytesOf('\0\0\0\x10ftypisom\0\0\0\0avif'), 'application/octet-stream'],
    ['one byte', bytesOf('<'), 'application/octet-stream'],
  ])('is what its bytes say, whatever is said of it: %s', async (what, bytes, type) => {
    const server = running()
    const { status, told } = await upload(server, 'types', bytes, { headers: { 'Content-Type': 'image/svg+xml' } })
    const hash = createHash('sha256').update(bytes).digest('hex')
    const isImage = type.startsWith('image/')
    expect([status, told]).toEqual([
      201,
      { path: expect.stringContaining(`/api/v1/documents/types/uploads/${hash}.`), type, isImage, bytes: bytes.length },
    ])
    const answer = await download(server, `${told.path}?name=a%22%0D%0A%2F..%2F%E2%80%AE${what}.svg`)
    expect(answer.status).toBe(200)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': type,
      'content-disposition': expect.stringMatching(
        new RegExp(`^${isImage ? 'inline' : 'attachment'}; filename\\*=UTF-8''a%22___.._[\\w%]+\\.svg$`),
      ),
      'content-security-policy': expect.stringMatching(/^default-src 'none'; sandbox;/),
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'private, no-cache',
    })
    expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true)
  })

  it('is put there by editors, seen by viewers, and by nobody else', async () => {
    const server = running()
    const { told } = await upload(server, 'roles', PNG)
    for (const [role, status] of [
      ['owner', 200],
      ['editor', 200],
      ['commenter', 403],
      ['viewer', 403],
    ] as const) {
      expect([role, (await upload(server, 'roles', PNG, { role })).status]).toEqual([role, status])
      expect([role, (await download(server, told.path, role)).status]).toEqual([role, 200])
    }
    const elsewhere = await sign({ docs: [{ document: 'roles/uploads', role: 'owner' }] })
    for (const token of [undefined, 'hello', elsewhere]) {
      const status = token === elsewhere ? 403 : 401
      expect((await api(server, 'GET', told.path, token === undefined ? {} : { token })).status).toBe(status)
      expect(
        (await api(server, 'POST', '/api/v1/documents/roles/uploads', { token: token ?? '', body: PNG })).status,
      ).toBe(status)
    }
    // Nor is it another document's.
    expect((await download(server, told.path.replace('roles', 'other'))).status).toBe(404)
  })

  it('is not sent by a page of another site with somebody’s cookie', async () => {
    const server = running()
    const cookie = `weft=${await tokenFor('editor')}`
    const send = (headers: Record<string, string>) =>
      api(server, 'POST', '/api/v1/documents/forged/uploads', { headers: { cookie, ...headers }, body: PNG })
    const type = { 'Content-Type': 'image/png' }
    expect((await send(type)).code).toBe('cross-site')
    expect((await send({ ...type, Origin: 'https://elsewhere.example' })).status).toBe(403)
    expect((await send({ 'Content-Type': 'text/plain', Origin: server.url })).code).toBe('cross-site')
    expect((await send({ ...type, Origin: server.url })).status).toBe(201)
  })

  it('is refused when it is empty, too large, or one too many, and nothing of it stays', async () => {
    const server = running()
    const file = (fill: number, length = 100_000) => Buffer.alloc(length, fill)
    expect((await upload(server, 'full', file(0, 0))).code).toBe('bad-request')
    expect((await upload(server, 'full', file(0, 100_001))).code).toBe('too-large')
    expect((await upload(server, 'full', file(1))).status).toBe(201)
    // Once more the same takes no room.
    expect((await upload(server, 'full', file(1))).status).toBe(200)
    const both = await Promise.all([upload(server, 'full', file(2)), upload(server, 'full', file(3))])
    expect(both.map(({ status }) => status).sort()).toEqual([201, 413])
    expect((await upload(server, 'full', file(4, 50_000))).status).toBe(201)
    const { code, text } = await upload(server, 'full', file(5, 1))
    expect([code, text]).toEqual(['too-large', expect.stringContaining('250001 bytes')])
    expect((await upload(server, 'other', file(5, 1))).status).toBe(201)
  })

  it('is asked for again with its tag, and needs the right again', async () => {
    const server = running()
    const { told } = await upload(server, 'tags', PNG)
    const first = await download(server, told.path)
    const tag = { 'If-None-Match': first.headers.get('etag') ?? '' }
    const authorized = { ...tag, Authorization: `Bearer ${await tokenFor('viewer')}` }
    expect(await rawStatus(server, told.path, authorized)).toBe(304)
    expect(await rawStatus(server, told.path, tag)).toBe(401)
    const head = await api(server, 'HEAD', told.path, { token: await tokenFor('viewer') })
    expect([head.status, head.headers.get('content-length'), head.text]).toEqual([200, String(PNG.length), ''])
  })

  it('leaves documents alone whose names look alike', async () => {
    const server = running()
    const token = await tokenFor('owner')
    expect((await putMarkdown(server, 'a/uploads', 'text', token)).status).toBe(201)
    expect((await api(server, 'GET', apiPath('a/uploads'), { token })).text).toBe('text\n')
    expect((await api(server, 'GET', apiPath('a/uploads/b.png'), { token })).status).toBe(404)
    expect((await api(server, 'POST', '/api/v1/documents/uploads', { token, body: PNG })).status).toBe(405)
  })
})

it('[threat E1] survives the server’s end, is checked when it is read, and goes with its document', async () => {
  const server = await testServer()
  const post = (name: string, body: Buffer) =>
    api(server, 'POST', `${apiPath(name)}/uploads`, { headers: { 'Content-Type': 'image/png' }, body })
  await putMarkdown(server, 'a', 'text')
  // The first content of a document, maybe.
  const paths = [await post('a', PNG), await post('b', PNG)].map(({ text }): string => JSON.parse(text).path)
  await server.kill()
  const folder = join(server.folder, 'uploads')
  const folders = await readdir(folder)
  expect(folders).toHaveLength(2)
  for (const name of folders) await writeFile(join(folder, name, 'half.part'), 'a')
  await server.start()
  for (const path of paths) expect((await fetch(server.url + path)).status).toBe(200)
  for (const name of folders) {
    const files = await readdir(join(folder, name))
    expect(files.filter(file => !/^(?:document|[0-9a-f]{64}\.png)$/.test(file))).toEqual([])
    for (const file of files) if (file !== 'document') await writeFile(join(folder, name, file), 'another')
  }
  const damaged = await api(server, 'GET', paths[0] ?? '')
  expect([damaged.status, damaged.code]).toEqual([500, 'damaged'])
  const remove = (query = '') => api(server, 'DELETE', apiPath('a', query), { headers: { 'X-Requested-With': 'test' } })
  await remove()
  // In the bin, they are kept with it, and given to nobody; not even a start takes them away.
  await server.kill()
  await server.start()
  expect(await readdir(folder)).toHaveLength(2)
  expect((await post('a', PNG)).code).toBe('deleted')
  expect((await api(server, 'GET', paths[0] ?? '')).code).toBe('deleted')
  await remove('?purge=true')
  expect(await readdir(folder)).toHaveLength(1)
  expect((await api(server, 'GET', paths[0] ?? '')).code).toBe('deleted')
})
