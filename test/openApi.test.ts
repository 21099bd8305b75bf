import { Validator } from '@seriousme/openapi-schema-validator'
import { describe, expect, it } from 'vitest'
import { apiErrors } from '../server/dist/http/ApiError.js'
import { OpenApi } from './support/openApi.ts'
import { sharedServer } from './support/testServer.ts'
import { asksForTokens, tokenFor } from './support/tokens.ts'

// That every answer is as the document says is checked wherever a test asks: `support/apiClient.ts`.

const METHODS = ['get', 'put', 'post', 'patch', 'delete']
/** A path of a template, with something in each place. */
const pathOf = (template: string) => `/api/v1${template.replaceAll(/\{\w+\}/gu, 'x')}`

describe('the OpenAPI document', () => {
  const server = sharedServer(asksForTokens)

  it('is OpenAPI 3.1, for anybody', async () => {
    const { document } = await OpenApi.of(server())
    expect(document.openapi).toMatch(/^3\.1\./)
    const result = await new Validator().validate(JSON.parse(JSON.stringify(document)))
    expect([result.valid, result.errors ?? []]).toEqual([true, []])
  })

  it('has no schema that refers to itself alone', async () => {
    const { schemas } = (await OpenApi.of(server())).document.components
    for (const [name, schema] of Object.entries(schemas)) expect([name, '$ref' in schema]).toEqual([name, false])
  })

  it('has each operation once by its id', async () => {
    const { document } = await OpenApi.of(server())
    const ids = Object.values(document.paths).flatMap(path => Object.values(path).map(({ operationId }) => operationId))
    expect(ids.length).toBeGreaterThan(25)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('describes what is answered, and nothing else: other methods are 405, other paths 404', async () => {
    const { document } = await OpenApi.of(server())
    const token = await tokenFor('owner')
    const statusOf = async (method: string, path: string) => {
      const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
      const body = method === 'get' || method === 'delete' ? {} : { body: '{' }
      return (await fetch(server().url + path, { method: method.toUpperCase(), headers, ...body })).status
    }
    for (const [template, operations] of Object.entries(document.paths)) {
      for (const method of METHODS) {
        const status = await statusOf(method, pathOf(template))
        const isDescribed = Object.hasOwn(operations, method)
        // A file's path is a document's name for all that isn't asked of files.
        if (template.includes('/uploads') && !isDescribed) continue
        expect([method, template, status === 405]).toEqual([method, template, !isDescribed])
      }
    }
    for (const path of [
      '/api/v1',
      '/api/v1/',
      '/api/v1/nothing',
      '/api/v1/links/a/b',
      '/api/v1/Links',
      '/api/v1/openapi',
    ])
      expect([path, await statusOf('get', path)]).toEqual([path, 404])
  })

  it('names each error that there is', async () => {
    const { document } = await OpenApi.of(server())
    const text = JSON.stringify(document.paths)
    for (const code of Object.keys(apiErrors)) expect([code, text.includes(`\`${code}\``)]).toEqual([code, true])
  })
})
