import { expect } from 'vitest'
import { apiPath } from '../support/apiClient.ts'
import { OpenApi } from '../support/openApi.ts'
import { RawClient } from '../support/RawClient.ts'
import type { ServerProcess } from '../support/ServerProcess.ts'
import { typist } from '../support/typist.ts'
import { DOCUMENT, ownerToken } from './bearerToken.ts'

export interface MatrixRequest {
  readonly method: string
  readonly path: string
  readonly type?: string
  readonly body?: string | Uint8Array
}

const PNG = Buffer.from('\x89PNG\r\n\x1a\n and so on', 'latin1')
const json = (body: object) => ({ type: 'application/json', body: JSON.stringify(body) })
let names = 0
const fresh = () => `matrix/fresh-${++names}`

/** What an owner asks, to make ready what a request is about. */
async function asOwner(server: ServerProcess, request: MatrixRequest): Promise<{ text: string }> {
  const { path } = request
  const answer = await ask(server, request, await ownerToken())
  const text = await answer.text()
  expect([path, answer.ok, text]).toEqual([path, true, text])
  return { text }
}

/** @param token empty: none */
export function ask(server: ServerProcess, request: MatrixRequest, token: string): Promise<Response> {
  const { method, path, type, body } = request
  const headers = {
    'X-Requested-With': 'test',
    ...(token !== '' && { Authorization: `Bearer ${token}` }),
    ...(type !== undefined && { 'Content-Type': type }),
  }
  return fetch(server.url + path, { method, headers, ...(body !== undefined && { body: body as BodyInit }) })
}

export async function writeComments(server: ServerProcess, name: string): Promise<void> {
  const path = apiPath(name, '?part=comments')
  await asOwner(server, { method: 'PATCH', path, type: 'application/octet-stream', body: typist(2).type('A comment.') })
}

export async function writeDocument(server: ServerProcess, name: string): Promise<void> {
  await asOwner(server, { method: 'PUT', path: apiPath(name), type: 'text/markdown', body: 'Hello.\n' })
}

async function makeLink(server: ServerProcess): Promise<{ id: string; secret: string }> {
  const answer = await asOwner(server, { method: 'POST', path: '/api/v1/links', ...json({ document: DOCUMENT }) })
  return JSON.parse(answer.text)
}

async function makeSession(server: ServerProcess): Promise<string> {
  const name = fresh()
  await writeDocument(server, name)
  await RawClient.join(`${server.socketUrl}/${name}?token=${await ownerToken()}`)
  const path = `/api/v1/sessions?document=${encodeURIComponent(name)}`
  const { sessions } = JSON.parse((await asOwner(server, { method: 'GET', path })).text)
  return sessions[0].id
}

async function makeUpload(server: ServerProcess): Promise<string> {
  const path = `${apiPath(DOCUMENT)}/uploads`
  const answer = await asOwner(server, { method: 'POST', path, type: 'application/octet-stream', body: PNG })
  return JSON.parse(answer.text).path
}

/** What is special about a request: all else comes from the OpenAPI document. */
const special: Readonly<Record<string, (server: ServerProcess, token: string) => Promise<Partial<MatrixRequest>>>> = {
  exchangeLink: async server => json({ secret: (await makeLink(server)).secret }),
  beginSession: async (_, token) => json({ token: token === '' ? 'none' : token }),
  'readDocument (comments)': async () => ({ path: apiPath(DOCUMENT, '?part=comments&format=yjs') }),
  describeDocument: async () => ({ path: `/api/v1/metadata?document=${encodeURIComponent(DOCUMENT)}` }),
  readUpload: async server => ({ path: await makeUpload(server) }),
  'mergeUpdate (comments)': async () => ({
    path: apiPath(DOCUMENT, '?part=comments'),
    type: 'application/octet-stream',
    body: typist(1000 + ++names).type('x'),
  }),
  writeDocument: async () => ({ type: 'text/markdown', body: `Number ${++names}.\n` }),
  mergeUpdate: async () => ({ type: 'application/octet-stream', body: typist(1000 + ++names).type('x') }),
  upload: async () => ({ type: 'application/octet-stream', body: PNG }),
  deleteDocument: async server => {
    const name = fresh()
    await writeDocument(server, name)
    return { path: apiPath(name) }
  },
  restoreDocument: async server => {
    const name = fresh()
    await writeDocument(server, name)
    await asOwner(server, { method: 'DELETE', path: apiPath(name) })
    return json({ document: name })
  },
  makeLink: async () => json({ document: DOCUMENT }),
  listLinks: async () => ({ path: `/api/v1/links?document=${encodeURIComponent(DOCUMENT)}` }),
  changeLink: async server => ({ path: `/api/v1/links/${(await makeLink(server)).id}`, ...json({ role: 'viewer' }) }),
  revokeLink: async server => ({ path: `/api/v1/links/${(await makeLink(server)).id}` }),
  makeToken: async () => json({ user: 'bo', docs: [{ document: DOCUMENT, role: 'viewer' }] }),
  revoke: async () => json({ user: 'nobody', document: DOCUMENT }),
  'revoke (everywhere)': async () => json({ user: 'nobody' }),
  listRevocations: async () => ({ path: `/api/v1/revocations?document=${encodeURIComponent(DOCUMENT)}` }),
  listSessions: async () => ({ path: `/api/v1/sessions?document=${encodeURIComponent(DOCUMENT)}` }),
  endSession: async server => ({ path: `/api/v1/sessions/${await makeSession(server)}` }),
}

/** A request that is as it must be, with all that it is about made ready. */
export async function makeRequest(server: ServerProcess, action: string, token: string): Promise<MatrixRequest> {
  const [id] = action.split(' ')
  for (const [template, operations] of Object.entries((await OpenApi.of(server)).document.paths)) {
    for (const [method, { operationId }] of Object.entries(operations)) {
      if (operationId !== id) continue
      const path = `/api/v1${template.replace('{document}', DOCUMENT)}`
      return { method: method.toUpperCase(), path, ...(await special[action]?.(server, token)) }
    }
  }
  throw new Error(`the OpenAPI document has no ${id}`)
}
