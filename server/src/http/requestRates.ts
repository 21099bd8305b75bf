import express, { type Request, type Router } from 'express'
import type { Logger } from 'pino'
import { GUEST_PREFIX } from '../access/guests.ts'
import type { Clock } from '../clock.ts'
import { KeyedRate } from '../KeyedRate.ts'
import { tooFast } from './ApiError.ts'
import type { ApiGate } from './ApiGate.ts'
import { answerApiError } from './answerApiError.ts'

/** Changes of rights at once, in minutes of their rate: an owner who tidies up. */
const RIGHTS_BURST_MIN = 100
/** What a request counts that looks at many names, or at a whole document. */
const HEAVY = 5
/** Behind one address are many people, and so they are who came by one link: so many times what one user may ask. */
const GROUP_FACTOR = 20
/** Has rates of its own: it is for those who have no token yet, of which a thousand may be behind one address. */
const EXCHANGE = '/links/exchange'

export interface RequestRateServices {
  readonly gate: Pick<ApiGate, 'holderOf'>
  readonly clock: Clock
  readonly logger: Logger
  readonly settings: {
    readonly requestsPerSecond: number
    readonly requestBurst: number
    readonly rightsChangesPerMinute: number
  }
}

/**
 * Refuses requests of those who send too many, before anything is done for them. What a user may change of rights has a rate of its
 * own, by which the audit log stays readable: each such change has an entry there.
 */
export function requestRates({ gate, clock, logger, settings }: RequestRateServices): Router {
  const { requestsPerSecond, requestBurst, rightsChangesPerMinute } = settings
  const requests = new KeyedRate(requestsPerSecond, requestBurst)
  const groupRequests = new KeyedRate(GROUP_FACTOR * requestsPerSecond, GROUP_FACTOR * requestBurst)
  const rightsChanges = KeyedRate.perMinute(rightsChangesPerMinute, RIGHTS_BURST_MIN)
  const router = express.Router()

  async function check(request: Request): Promise<void> {
    if (request.path === EXCHANGE) return
    const { id, isBound, userId } = await gate.holderOf(request)
    if (!isBound) return
    const now = clock.now()
    const weight = Math.min(weightOf(request), requestBurst)
    const isGuest = userId?.startsWith(GUEST_PREFIX) === true
    const ownWaitMs = userId === null ? 0 : requests.take(isGuest ? userId : id, now, weight)
    const waitMs = ownWaitMs > 0 || (userId !== null && !isGuest) ? ownWaitMs : groupRequests.take(id, now, weight)
    if (waitMs > 0) throw tooFast('too many requests', waitMs, 'requests')
    if (!changesRights(request)) return
    const changeWaitMs = rightsChanges.take(id, clock.now())
    if (changeWaitMs > 0) throw tooFast('too many changes of rights', changeWaitMs, 'rights-changes')
  }

  router.use((request, _response, next) => {
    check(request).then(() => next(), next)
  })
  router.use(answerApiError(logger))
  return router
}

function weightOf({ method, path }: Request): number {
  const isRead = method === 'GET' || method === 'HEAD'
  if (/^\/documents\/.+\/uploads\/[^/]+$/u.test(path)) return 1
  if (/^\/documents(?:\/|$)/u.test(path)) return HEAVY
  return isRead && /^\/(?:bin|sessions|audit|links|revocations)\/?$/u.test(path) ? HEAVY : 1
}

function changesRights({ method, path }: Request): boolean {
  if (method === 'GET' || method === 'HEAD') return false
  return (
    /^\/(?:links|tokens|revocations|sessions|bin)(?:\/|$)/u.test(path) ||
    (method === 'DELETE' && /^\/documents\//u.test(path))
  )
}
