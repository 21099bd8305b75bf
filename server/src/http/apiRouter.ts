import express, { type Request, type Response, type Router } from 'express'
import type { Logger } from 'pino'
import { holderOf } from '../access/holderOf.ts'
import type { TrustedProxies } from '../access/TrustedProxies.ts'
import { ApiError, badMethod } from './ApiError.ts'
import type { ApiRoute } from './ApiRoute.ts'
import { answerApiError } from './answerApiError.ts'
import { ByteBudget } from './ByteBudget.ts'
import { NO_QUERY, readAs, readJson, readQuery } from './readRequest.ts'

/** JSON that all requests together hold on its way in. */
const MAX_HELD_BYTES = 4 << 20
/** Of one address: who asks isn't known before the body is read. */
const MAX_SHARE_BYTES = MAX_HELD_BYTES / 8

export interface ApiRouterServices {
  readonly proxies: TrustedProxies
  readonly logger: Logger
  readonly requestSeconds: number
}

/** Answers the routes that have a handler, below `/api/v1`; what another router answers must stand before it. */
export function apiRouter(routes: readonly ApiRoute[], services: ApiRouterServices): Router {
  const { proxies, logger, requestSeconds: seconds } = services
  const router = express.Router({ caseSensitive: true, strict: true })
  const budget = new ByteBudget(MAX_HELD_BYTES, MAX_SHARE_BYTES)

  router.use((_request, response, next) => {
    response.set({ 'Cache-Control': 'no-store', Vary: 'Authorization' })
    next()
  })

  async function answer(route: ApiRoute, request: Request, response: Response): Promise<void> {
    const { handle } = route
    if (handle === null) throw new ApiError('internal', 'this route is answered elsewhere')
    const params = route.params === null ? null : readAs(route.params, { ...request.params }, 'the path')
    const query = readQuery(route.query ?? NO_QUERY, request)
    const holder = holderOf(null, proxies.addressOf(request))
    const body = route.body === null ? null : await readJson(route.body, request, { budget, holder, seconds })
    const reply = await handle({ request, params, query, body })
    response.status(reply.status).json(reply.body)
  }

  const paths = new Map<string, ApiRoute[]>()
  for (const route of routes) paths.set(route.path, [...(paths.get(route.path) ?? []), route])
  for (const [path, ofPath] of paths) {
    if (ofPath.every(({ handle }) => handle === null)) continue
    router.all(path.replaceAll(/\{(\w+)\}/gu, ':$1'), (request, response, next) => {
      const method = request.method === 'HEAD' ? 'get' : request.method.toLowerCase()
      const route = ofPath.find(candidate => candidate.method === method)
      if (route !== undefined) answer(route, request, response).catch(next)
      else next(badMethod(response, ofPath.map(candidate => candidate.method.toUpperCase()).join(', ')))
    })
  }
  router.use((_request, _response, next) => next(new ApiError('not-found', 'the API has nothing at this path')))
  router.use(answerApiError(logger))
  return router
}
