import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import express, { type Express, type NextFunction, type Request, type Response, type Router } from 'express'
import type { Logger } from 'pino'
import type { HostCheck } from '../access/HostCheck.ts'
import { requestFault } from '../access/requestFault.ts'
import type { TrustedProxies } from '../access/TrustedProxies.ts'
import type { Meters } from '../Meters.ts'
import { COMMON_HEADERS, pagePolicy } from '../securityHeaders.ts'
import { nameRequest } from './ApiActor.ts'
import { Readiness } from './Readiness.ts'

export interface AppServices {
  /** The built web app: a folder with `index.html`. */
  readonly webFolder: string
  readonly logger: Logger
  readonly hosts: HostCheck
  readonly proxies: TrustedProxies
  /** Who has its answer may go on sending its request for so long. */
  readonly requestSeconds: number
  /** Whether edits can be stored now. */
  readonly isReady: () => Promise<boolean>
  readonly meters: Pick<Meters, 'overBound'>
  /** What answers under `/api/v1` before all else: refuses who asks too much. */
  readonly requestRates: Router
  /** What answers under `/api/v1/documents`. */
  readonly documentsApi: Router
  /** What answers there before that: files that were put into documents. */
  readonly uploadsApi: Router
  /** What answers under `/api/v1/backup`. */
  readonly backupApi: Router
  /** What answers under `/api/v1/session`. */
  readonly sessionApi: Router
  /** What answers everything else under `/api/v1`. */
  readonly hostApi: Router
}

/** The HTTP side: health, documents, and the web app. */
export function createApp(services: AppServices): Express {
  const {
    webFolder,
    logger,
    hosts,
    proxies,
    isReady,
    requestSeconds,
    meters,
    requestRates,
    documentsApi,
    uploadsApi,
    backupApi,
    sessionApi,
    hostApi,
  } = services
  const app = express()
  app.disable('x-powered-by')
  app.set('query parser', 'simple')
  app.use((request, response, next) => {
    response.once('finish', () => {
      const limitMs = requestSeconds * 1000
      if (response.locals.bound) meters.overBound(response.locals.bound)
      if (!request.complete) setTimeout(() => request.complete || request.socket.destroy(), limitMs).unref()
    })
    // Before anything can be wrong with it: a refusal has them, too.
    const nonce = randomBytes(16).toString('base64')
    response.locals.nonce = nonce
    const requestId = randomBytes(9).toString('base64url')
    nameRequest(request, requestId)
    response.set({
      'X-Request-Id': requestId,
      'Content-Security-Policy': pagePolicy(proxies.hostOf(request) ?? '', nonce),
      ...COMMON_HEADERS,
    })
    // For the name without a port only: browsers hold all ports of a name to it, and other services may stand there.
    const { host = '' } = request.headers
    if (request.secure && !/:\d+$/u.test(host)) response.set('Strict-Transport-Security', 'max-age=31536000')
    const refusal = requestFault(request) ?? hosts.refusal(request)
    if (refusal === null) next()
    else response.status(refusal[0]).type('text/plain').send(`${refusal[1]}\n`)
  })

  app.get('/healthz', (_request, response) => {
    response.type('text/plain').send('ok\n')
  })
  const readiness = new Readiness(isReady)
  app.get('/readyz', async (_request, response) => {
    const ready = await readiness.ask()
    response
      .status(ready ? 200 : 503)
      .type('text/plain')
      .send(ready ? 'ready\n' : 'edits cannot be stored now\n')
  })

  app.use('/api/v1', requestRates)
  app.use('/api/v1/documents', uploadsApi)
  app.use('/api/v1/documents', documentsApi)
  app.use('/api/v1/backup', backupApi)
  app.use('/api/v1/session', sessionApi)
  app.use('/api/v1', hostApi)

  const page = join(webFolder, 'index.html')
  // Built files carry their hash in their name; the page itself must always be asked for.
  app.use(
    '/assets',
    express.static(join(webFolder, 'assets'), { immutable: true, maxAge: '1y', index: false, redirect: false }),
  )
  app.use('/assets', (_request, response) => {
    response.status(404).type('text/plain').send('no such file\n')
  })
  app.use(express.static(webFolder, { index: false, maxAge: 0, redirect: false }))
  app.get(['/', '/s', '/d/*document'], async (request, response) => {
    response.set('Cache-Control', 'no-cache')
    const html = await readFile(page, 'utf8').catch(() => null)
    if (html === null) response.status(503).type('text/plain').send('the web app is not built: npm run build\n')
    else response.type('html').send(withNonce(fromDepth(html, request.path), response.locals.nonce))
  })
  app.use((_request, response) => {
    response
      .status(404)
      .type('text/plain')
      .send('nothing is here: the page of a document is /d/ and its name, and / lists those you opened\n')
  })
  app.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) return next(error)
    const status = statusOf(error)
    if (status >= 500) logger.error({ err: error }, 'a request failed')
    response
      .status(status)
      .type('text/plain')
      .send(status >= 500 ? 'this request failed\n' : 'bad request\n')
  })
  return app
}

/**
 * The page names its files relative to the folder above `assets` (`./assets/…`), and is served from deeper ones too: for
 * `/d/team/notes` that is `../../assets/…`. So a proxy may put any path before it.
 */
function fromDepth(html: string, path: string): string {
  const depth = path.split('/').length - 2
  return depth > 0 ? html.replaceAll('="./', `="${'../'.repeat(depth)}`) : html
}

/** Tells the page its nonce, where a browser hides it from everything but scripts (an attribute `nonce` reads as empty). */
function withNonce(html: string, nonce: string): string {
  return html.replace('<meta property="csp-nonce" />', `<meta property="csp-nonce" nonce="${nonce}" />`)
}

function statusOf(error: unknown): number {
  if (typeof error === 'object' && error !== null && 'status' in error && typeof error.status === 'number') {
    return error.status >= 400 && error.status < 600 ? error.status : 500
  }
  return 500
}
