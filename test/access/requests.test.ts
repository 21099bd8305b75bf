import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { api } from '../support/apiClient.ts'
import { OpenApi } from '../support/openApi.ts'
import { sharedServer } from '../support/testServer.ts'
import { DOCUMENT, makeBearer, ownerToken, strictEnv } from './bearerToken.ts'
import { bearers, bearerTable, expected, matrixTable, type Outcome, requestNeeds } from './matrix.ts'
import { ask, makeRequest, writeComments, writeDocument } from './requests.ts'

const server = sharedServer(strictEnv)

beforeAll(async () => {
  await writeDocument(server(), DOCUMENT)
  await writeComments(server(), DOCUMENT)
})

it('[threat P3] every request of the OpenAPI document stands in the matrix, and no other', async () => {
  const { document } = await OpenApi.of(server())
  const ids = Object.values(document.paths).flatMap(path => Object.values(path).map(({ operationId }) => operationId))
  const inMatrix = new Set(Object.keys(requestNeeds).map(action => action.split(' ')[0]))
  expect([...inMatrix].sort()).toEqual(ids.sort())
})

it('[threat P3] the matrix stands in SECURITY.md', () => {
  const text = readFileSync(new URL('../../SECURITY.md', import.meta.url), 'utf8')
  expect(text).toContain(`\n## Who may do what\n`)
  expect(text).toContain(`\n${bearerTable()}\n`)
  expect(text).toContain(`\n${matrixTable()}\n`)
})

describe.each(Object.entries(bearers))('%s', (name, standing) => {
  let token = ''
  beforeAll(async () => {
    const bearer = await makeBearer(name)
    await bearer.taken(server())
    token = bearer.token
  })

  it.each(Object.entries(requestNeeds))('[threat P3] asks for %s', async (action, need) => {
    const request = await makeRequest(server(), action, token)
    const answer = await ask(server(), request, token)
    const text = await answer.text()
    const outcome = outcomeOf(answer.status)
    expect([name, action, outcome, text]).toEqual([name, action, expected(need, standing), text])
  })
})

it.each(Object.entries(bearers))('[threat P3] %s lists what it may read, and nothing else', async (name, standing) => {
  const { token, taken } = await makeBearer(name)
  await taken(server())
  const path = `/api/v1/documents?prefix=${encodeURIComponent(DOCUMENT)}`
  const answer = await ask(server(), { method: 'GET', path }, token)
  const { documents = null } = await answer.json()
  if (standing === 'nobody') expect([answer.status, documents]).toEqual([401, null])
  else expect(documents.length > 0).toBe(expected('viewer', standing) === 'may')
})

it('[threat P4] a link that is used up gives nobody a token', async () => {
  const headers = { 'Content-Type': 'application/json', 'X-Requested-With': 'test' }
  const body = JSON.stringify({ document: DOCUMENT, maxUses: 1 })
  const made = await api(server(), 'POST', '/api/v1/links', { token: await ownerToken(), headers, body })
  const { secret } = JSON.parse(made.text)
  const exchange = () => api(server(), 'POST', '/api/v1/links/exchange', { headers, body: JSON.stringify({ secret }) })
  expect((await exchange()).status).toBe(200)
  const again = await exchange()
  expect(again.status).toBeGreaterThanOrEqual(400)
  expect(again.text).not.toContain('"token"')
})

function outcomeOf(status: number): Outcome | string {
  if (status === 401) return 'unauthorized'
  if (status === 403) return 'forbidden'
  return status < 400 ? 'may' : `fails with ${status}`
}
