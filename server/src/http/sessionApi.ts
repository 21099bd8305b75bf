import express, { type Request, type Response, type Router } from 'express'
import type { Logger } from 'pino'
import type { Access } from '../access/Access.ts'
import { holderOf } from '../access/holderOf.ts'
import { MAX_COOKIE_TOKEN_LENGTH, sessionCookie } from '../access/sessionCookie.ts'
import type { TrustedProxies } from '../access/TrustedProxies.ts'
import type { VerifiedToken } from '../access/verifyToken.ts'
import type { Clock } from '../clock.ts'
import { ApiError, badMethod } from './ApiError.ts'
import { type ApiGate, denied } from './ApiGate.ts'
import { answerApiError } from './answerApiError.ts'
import { ByteBudget } from './ByteBudget.ts'
import { readBody } from './readBody.ts'

/** A token is 8 KiB at most, and one that a cookie holds half of that. */
const MAX_BODY_BYTES = 16 << 10
/** Of all requests together: nobody is known yet. */
const MAX_HELD_BYTES = 4 << 20
const MAX_SHARE_BYTES = MAX_HELD_BYTES / 8

export interface SessionApiServices {
  readonly access: Access
  readonly gate: ApiGate
  readonly proxies: TrustedProxies
  readonly clock: Clock
  readonly logger: Logger
  readonly requestSeconds: number
}

/**
 * A browser's session (`PROTOCOL.md`): puts a token into a cookie that no script can read, says whose it is, and clears it.
 */
export function sessionApi({ access, gate, proxies, clock, logger, requestSeconds }: SessionApiServices): Router {
  const router = express.Router()
  const budget = new ByteBudget(MAX_HELD_BYTES, MAX_SHARE_BYTES)

  router.use((request, response, next) => {
    response.set({ 'Cache-Control': 'no-store', Vary: 'Cookie, Authorization' })
    if (request.path !== '/') throw new ApiError('not-found', 'nothing is here')
    answer(request, response).catch(next)
  })

  function answer(request: Request, response: Response): Promise<void> {
    switch (request.method) {
      case 'GET':
      case 'HEAD':
        return tell(request, response)
      case 'POST':
        return begin(request, response)
      case 'DELETE':
        return end(request, response)
      default:
        throw badMethod(response, 'GET, HEAD, POST, DELETE')
    }
  }

  async function tell(request: Request, response: Response): Promise<void> {
    response.json(describe(await verify(gate.tokenOf(request))))
  }

  async function begin(request: Request, response: Response): Promise<void> {
    gate.checkDeliberate(request)
    const token = await readToken(request)
    if (token.length > MAX_COOKIE_TOKEN_LENGTH) {
      throw new ApiError('bad-request', `a cookie holds no token of over ${MAX_COOKIE_TOKEN_LENGTH} characters`)
    }
    const verified = await verify(token)
    const maxAgeS = Math.max(0, Math.floor(verified.exp - clock.wallTime() / 1000))
    response.set('Set-Cookie', sessionCookie(token, maxAgeS, proxies.isSecure(request)))
    response.json(describe(verified))
  }

  async function end(request: Request, response: Response): Promise<void> {
    gate.checkDeliberate(request)
    response.set('Set-Cookie', sessionCookie('', 0, proxies.isSecure(request)))
    response.status(204).end()
  }

  async function verify(token: string | null): Promise<VerifiedToken> {
    const verified = await access.verify(token)
    if (verified === null) throw new ApiError('unauthorized', 'nobody is asked who they are here')
    if ('close' in verified) throw denied(verified)
    return verified
  }

  /** @throws {ApiError} `bad-type`, `bad-request`, what `readBody` throws */
  async function readToken(request: Request): Promise<string> {
    if (!request.is('application/json')) throw new ApiError('bad-type', 'the Content-Type must be application/json')
    const holder = holderOf(null, proxies.addressOf(request))
    const body = await readBody(request, { maxBytes: MAX_BODY_BYTES, budget, holder, seconds: requestSeconds })
    try {
      const { token } = JSON.parse(body.content.toString('utf8')) as { token?: unknown }
      if (typeof token === 'string' && token !== '') return token
    } catch {
      // Told below; not with the parser's own text, which quotes what it read.
    } finally {
      body.release()
    }
    throw new ApiError('bad-request', 'the body is { "token": "…" }')
  }

  router.use(answerApiError(logger))
  return router
}

function describe({ userId, name, exp }: VerifiedToken): object {
  return { user: { id: userId, name }, expiresAt: new Date(exp * 1000).toISOString() }
}
