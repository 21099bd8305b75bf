import type { Router } from 'express'
import type { ApiRoute } from './ApiRoute.ts'
import { type ApiRouterServices, apiRouter } from './apiRouter.ts'
import { openApiRoute } from './openApiRoute.ts'

/** All that the API answers below `/api/v1`, and the document that says so. */
export function hostApi(routes: readonly ApiRoute[], version: string, services: ApiRouterServices): Router {
  const all: ApiRoute[] = [...routes]
  all.push(openApiRoute(all, version))
  return apiRouter(all, services)
}
