import type { OpenApiDocument } from '../support/openApi.ts'

export interface SampleRequest {
  readonly method: string
  readonly path: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Uint8Array | null
}

interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly format?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
}

interface Described {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema?: Schema }>> }
}

/** What stands beside the API. */
const OTHERS = ['/', '/healthz', '/readyz', '/s', '/assets/none.js', '/metrics', '/api/v1/none', '/a/b']
const DOCUMENTS = ['fuzz/one', 'fuzz/two', 'fuzz/none']

/** Bodies in which members go together in a way that their schemas don't say. */
const BODIES: Readonly<Record<string, object>> = {
  makeLink: { document: 'fuzz/one', role: 'viewer', maxUses: 3 },
  makeToken: { user: 'bo', docs: [{ document: 'fuzz/one', role: 'viewer' }] },
  revoke: { user: 'nobody', document: 'fuzz/one' },
}

/** At least one request for each route that the OpenAPI document describes, as it should be, and for what stands beside it. */
export function sampleRequests(document: OpenApiDocument, token: string): SampleRequest[] {
  const samples: SampleRequest[] = OTHERS.map(path => ({
    method: 'GET',
    path,
    headers: headersWith(token),
    body: null,
  }))
  for (const [template, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const { parameters = [], requestBody } = operation as Described
      for (const name of template.includes('{document}') ? DOCUMENTS : ['']) {
        const query = parameters.filter(parameter => parameter.in === 'query').map(({ name: key }) => `${key}=a`)
        const path = `/api/v1${template.replace('{document}', name).replaceAll(/\{\w+\}/gu, 'a')}`
        for (const target of query.length > 0 ? [path, `${path}?${query.join('&')}`] : [path]) {
          for (const [type, { schema }] of Object.entries(requestBody?.content ?? { '': {} })) {
            samples.push({
              method: method.toUpperCase(),
              path: target,
              headers: [...headersWith(token), ...(type === '' ? [] : [['Content-Type', type] as const])],
              body: type === '' ? null : Buffer.from(bodyOf(operation.operationId, schema, document)),
            })
          }
        }
      }
    }
  }
  return samples
}

function headersWith(token: string): (readonly [string, string])[] {
  return [
    ['Host', '127.0.0.1'],
    ['Authorization', `Bearer ${token}`],
    ['X-Requested-With', 'test'],
  ]
}

function bodyOf(id: string, schema: Schema | undefined, document: OpenApiDocument): string {
  if (schema === undefined) return '# text\n'
  return JSON.stringify(BODIES[id] ?? sampleOf(schema, document))
}

/** A value that a schema describes, or nearly: rules between members aren't in it. */
function sampleOf(schema: Schema, document: OpenApiDocument): unknown {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1) ?? ''
    return sampleOf(document.components.schemas[name] as Schema, document)
  }
  if (schema.const !== undefined) return schema.const
  const [first] = schema.enum ?? schema.anyOf ?? []
  if (first !== undefined) return schema.enum === undefined ? sampleOf(first as Schema, document) : first
  switch (schema.type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([name, inner]) => [name, sampleOf(inner, document)]),
      )
    case 'array':
      return [sampleOf(schema.items ?? {}, document)]
    case 'integer':
    case 'number':
      return 1
    case 'boolean':
      return true
    case 'string':
      return schema.format === 'date-time' ? new Date(Date.now() + 60_000).toISOString() : 'fuzz/one'
    default:
      return null
  }
}
