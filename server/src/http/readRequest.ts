import type { Request } from 'express'
import { z } from 'zod'
import { ApiError } from './ApiError.ts'
import { type BodyLimits, readBody } from './readBody.ts'

/** Largest JSON that is taken in where it is no content. */
const MAX_JSON_BYTES = 16 * 1024

export const NO_QUERY = z.strictObject({})

/** @throws {ApiError} `bad-request`: says what doesn't fit */
export function readAs<T extends z.ZodType>(schema: T, value: unknown, what: string): z.output<T> {
  const read = schema.safeParse(value)
  if (read.success) return read.data
  const [issue] = read.error.issues
  throw new ApiError('bad-request', describe(issue, what))
}

/** The parameters of a query, each once at most. @throws {ApiError} `bad-request`: one too many, or not as it must be */
export function readQuery<T extends z.ZodObject>(schema: T, request: Request): z.output<T> {
  const start = request.url.indexOf('?')
  const query: Record<string, string> = Object.create(null)
  for (const [name, value] of new URLSearchParams(start < 0 ? '' : request.url.slice(start + 1))) {
    if (!Object.hasOwn(schema.shape, name)) {
      throw new ApiError('bad-request', `there is no parameter ${JSON.stringify(name.slice(0, 50))} here`)
    }
    if (query[name] !== undefined) throw new ApiError('bad-request', `${name} is given twice`)
    query[name] = value
  }
  return readAs(schema, { ...query }, 'the query')
}

/** A body of JSON. @throws {ApiError} `bad-type`, `too-large`, `bad-request`, `busy` */
export async function readJson<T extends z.ZodType>(
  schema: T,
  request: Request,
  limits: Omit<BodyLimits, 'maxBytes'>,
): Promise<z.output<T>> {
  if (!request.is('application/json')) throw new ApiError('bad-type', 'the Content-Type must be application/json')
  const body = await readBody(request, { ...limits, maxBytes: MAX_JSON_BYTES })
  let value: unknown
  try {
    value = JSON.parse(body.content.toString('utf8'))
  } catch {
    throw new ApiError('bad-request', 'the body is no JSON')
  } finally {
    body.release()
  }
  return readAs(schema, value, 'the body')
}

function describe(issue: z.core.$ZodIssue | undefined, what: string): string {
  if (issue === undefined) return `${what} is not as it must be`
  const place = issue.path.map(String).join('.')
  if (issue.code === 'unrecognized_keys') {
    const names = issue.keys.map(key => JSON.stringify(key.slice(0, 50))).slice(0, 5)
    return `${place === '' ? what : place} has what is not known here: ${names.join(', ')}`
  }
  return `${place === '' ? what : place}: ${issue.message}`.slice(0, 500)
}
