import { z } from 'zod'
import { type ApiRoute, defineRoute } from './ApiRoute.ts'
import { openApiDocument } from './openApiDocument.ts'

/** @param routes all that there are, this one too when it is asked */
export function openApiRoute(routes: readonly ApiRoute[], version: string): ApiRoute {
  let document: unknown = null
  return defineRoute({
    method: 'get',
    path: '/openapi.json',
    id: 'describeApi',
    tag: 'store',
    summary: 'This document',
    description: 'Anybody.',
    answers: { 200: { description: 'OpenAPI 3.1', schema: z.looseObject({ openapi: z.string() }) } },
    async handle() {
      document ??= openApiDocument(routes, version)
      return { status: 200, body: document }
    },
  })
}
