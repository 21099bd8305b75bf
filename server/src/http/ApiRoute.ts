import type { Request } from 'express'
import type { z } from 'zod'
import type { ApiCode } from './ApiError.ts'

type Schema = z.ZodType

/** What an answer may be: JSON of a schema, or content of other types. */
export interface ApiAnswer {
  readonly description: string
  readonly schema?: Schema
  /** Media types of content that is no JSON of ours. */
  readonly types?: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
}

/** A request that a route takes in: checked against the route's schemas. */
export interface ApiCall<Params = unknown, Query = unknown, Body = unknown> {
  readonly request: Request
  readonly params: Params
  readonly query: Query
  readonly body: Body
}

/** What a route answers with: a status of its `answers`, and JSON. */
export interface ApiReply {
  readonly status: number
  readonly body: unknown
}

/**
 * One request of the HTTP API, once: the server is routed and its requests are checked by this, and the OpenAPI document is made
 * of it.
 */
export interface ApiRoute {
  readonly method: 'get' | 'put' | 'post' | 'patch' | 'delete'
  /** Below `/api/v1`, as OpenAPI writes it: `/links/{link}`. */
  readonly path: string
  readonly id: string
  readonly summary: string
  /** Who may, and whatever else there is to say. */
  readonly description: string
  readonly tag: 'documents' | 'links' | 'access' | 'sessions' | 'store'
  readonly params: z.ZodObject | null
  readonly query: z.ZodObject | null
  readonly body: Schema | null
  /** Types of a body that is content and no JSON of ours. */
  readonly bodyTypes: readonly string[] | null
  readonly answers: Readonly<Record<number, ApiAnswer>>
  /** What it may be refused with, beside what every request may be: `commonErrors`. */
  readonly errors: readonly ApiCode[]
  /** Null: another router answers. */
  readonly handle: ((call: ApiCall) => Promise<ApiReply>) | null
}

/** What any request may be refused with. */
export const commonErrors = [
  'bad-request',
  'unauthorized',
  'forbidden',
  'local-only',
  'bad-method',
  'too-fast',
  'internal',
  'unavailable',
] as const satisfies readonly ApiCode[]

type Output<T> = T extends Schema ? z.output<T> : null

interface Definition<P, Q, B> extends Partial<Pick<ApiRoute, 'bodyTypes'>> {
  readonly method: ApiRoute['method']
  readonly path: string
  readonly id: string
  readonly summary: string
  readonly description: string
  readonly tag: ApiRoute['tag']
  readonly params?: P
  readonly query?: Q
  readonly body?: B
  readonly answers: ApiRoute['answers']
  readonly errors?: readonly ApiCode[]
  readonly handle: ((call: ApiCall<Output<P>, Output<Q>, Output<B>>) => Promise<ApiReply>) | null
}

/** Defines a route; what it is called with has the types of its schemas. */
export function defineRoute<
  P extends z.ZodObject | undefined = undefined,
  Q extends z.ZodObject | undefined = undefined,
  B extends Schema | undefined = undefined,
>(definition: Definition<P, Q, B>): ApiRoute {
  const { params, query, body, bodyTypes, errors, handle, ...rest } = definition
  return {
    ...rest,
    params: params ?? null,
    query: query ?? null,
    body: body ?? null,
    bodyTypes: bodyTypes ?? null,
    errors: errors ?? [],
    handle: handle as ApiRoute['handle'],
  }
}
