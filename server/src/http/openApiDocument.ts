import { z } from 'zod'
import { type ApiCode, apiErrors } from './ApiError.ts'
import { type ApiAnswer, type ApiRoute, commonErrors } from './ApiRoute.ts'

type Json = Record<string, unknown>

const errorSchema = {
  type: 'object',
  properties: {
    error: {
      type: 'object',
      properties: { code: { type: 'string', enum: Object.keys(apiErrors) }, message: { type: 'string' } },
      required: ['code', 'message'],
      additionalProperties: false,
    },
  },
  required: ['error'],
  additionalProperties: false,
}

/** Describes the routes: OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1.html), whose schemas are JSON Schema 2020-12, as zod's. */
export function openApiDocument(routes: readonly ApiRoute[], version: string): Json {
  const schemas: Json = { Error: errorSchema }
  const paths: Record<string, Json> = {}
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method]: describe(route, schemas) }
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Weft',
      version,
      summary: 'Documents that people and programs write together.',
      description: `Documents, who is in them, and who may be. Nothing may be said that this document doesn't know: another parameter, or another member of a body, is refused.

A document's name stands in a path as in a WebSocket's URL: its segments percent-encoded, its slashes as they are.`,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '../v1' }],
    security: [{ token: [] }, {}],
    tags: [
      { name: 'documents', description: 'What people write.' },
      { name: 'links', description: 'Share links.' },
      { name: 'access', description: 'Tokens, roles and revocations.' },
      { name: 'sessions', description: 'Who is connected.' },
      { name: 'store', description: 'The store as a whole.' },
    ],
    paths,
    components: {
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'Where the server asks for tokens. Else it answers programs of its own machine only.',
        },
      },
      schemas,
    },
  }
}

function describe(route: ApiRoute, schemas: Json): Json {
  const { id, tag, summary, description, params, query, body, bodyTypes, answers } = route
  const parameters = [...parametersOf('path', params, schemas), ...parametersOf('query', query, schemas)]
  const content =
    body !== null
      ? { 'application/json': { schema: schemaOf(body, 'input', schemas) } }
      : Object.fromEntries((bodyTypes ?? []).map(type => [type, {}]))
  return {
    operationId: id,
    tags: [tag],
    summary,
    description,
    ...(parameters.length > 0 && { parameters }),
    ...(Object.keys(content).length > 0 && { requestBody: { required: true, content } }),
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, answerOf(answer, schemas)])),
      ...refusals([...commonErrors, ...route.errors]),
    },
  }
}

function parametersOf(place: 'path' | 'query', schema: z.ZodObject | null, schemas: Json): Json[] {
  if (schema === null) return []
  return Object.entries(schema.shape).map(([name, type]) => ({
    name,
    in: place,
    required: place === 'path' || !type.safeParse(undefined).success,
    schema: schemaOf(type as z.ZodType, 'input', schemas),
  }))
}

function answerOf({ description, schema, types, headers }: ApiAnswer, schemas: Json): Json {
  const content = {
    ...(schema !== undefined && { 'application/json': { schema: schemaOf(schema, 'output', schemas) } }),
    ...Object.fromEntries((types ?? []).map(type => [type, {}])),
  }
  return {
    description,
    ...(headers !== undefined && {
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, text]) => [name, { description: text, schema: { type: 'string' } }]),
      ),
    }),
    ...(Object.keys(content).length > 0 && { content }),
  }
}

/** By status, with what each of its codes means. */
function refusals(codes: readonly ApiCode[]): Json {
  const byStatus = new Map<number, Set<ApiCode>>()
  for (const code of codes) {
    const { status } = apiErrors[code]
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(code))
  }
  return Object.fromEntries(
    [...byStatus].map(([status, ofStatus]) => [
      status,
      {
        description: [...ofStatus].map(code => `\`${code}\`: ${apiErrors[code].meaning}`).join('; '),
        ...((status === 429 || status === 503) && {
          headers: { 'Retry-After': { description: 'seconds to wait', schema: { type: 'integer' } } },
        }),
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    ]),
  )
}

/** A zod schema as JSON Schema; those that have an id stand in the components, once. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output', schemas: Json): Json {
  const { $schema: _, $defs = {}, ...json } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json
  const id = z.globalRegistry.get(schema)?.id
  for (const [name, definition] of Object.entries($defs as Json))
    schemas[name] = relocate(withoutId(definition as Json))
  // zod names what has an id either way: in place, or among the definitions.
  if (id === undefined || '$ref' in json) return relocate(json) as Json
  schemas[id] = relocate(withoutId(json))
  return { $ref: `#/components/schemas/${id}` }
}

function withoutId({ id: _, $id: __, ...rest }: Json): Json {
  return rest
}

function relocate(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(relocate)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) =>
      key === '$ref' && typeof inner === 'string'
        ? [key, inner.replace('#/$defs/', '#/components/schemas/')]
        : [key, relocate(inner)],
    ),
  )
}
