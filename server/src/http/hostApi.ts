import type { Router } from 'express'
import type { Logger } from 'pino'
import type { ApiRoute } from './ApiRoute.ts'
import { apiRouter } from './apiRouter.ts'
import { openApiRoute } from './openApiRoute.ts'

/** All that the API answers below `/api/v1`, and the document that says so. */
export function hostApi(routes: readonly ApiRoute[], version: string, logger: Logger): Router {
  const all: ApiRoute[] = [...routes]
  all.push(openApiRoute(all, version))
  return apiRouter(all, logger)
}
