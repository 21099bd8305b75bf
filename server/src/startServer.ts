import { createServer, type Server } from 'node:http'
import type { Server as TlsServer } from 'node:https'
import { createRequire } from 'node:module'
import type { AddressInfo, Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { DocumentId } from '@weft/protocol'
import type { Logger } from 'pino'
import { Access } from './access/Access.ts'
import { HostCheck } from './access/HostCheck.ts'
import { NewDocuments } from './access/NewDocuments.ts'
import { asksForTokens, openKeys } from './access/openKeys.ts'
import { openOwnTokens } from './access/openOwnTokens.ts'
import { Recheck } from './access/Recheck.ts'
import { HTTP_CONNECTIONS, MAX_HEADERS } from './access/requestFault.ts'
import { TrustedProxies } from './access/TrustedProxies.ts'
import { noAudit } from './audit/AuditEntry.ts'
import { AuditLog } from './audit/AuditLog.ts'
import { guardedClock, systemClock, type Timer } from './clock.ts'
import type { Config } from './config.ts'
import { WeftError } from './errors.ts'
import { ApiGate } from './http/ApiGate.ts'
import { accessRoutes } from './http/accessRoutes.ts'
import { createApp } from './http/app.ts'
import { auditRoutes } from './http/auditRoutes.ts'
import { backupApi } from './http/backupApi.ts'
import { binRoutes } from './http/binRoutes.ts'
import { Creation } from './http/Creation.ts'
import { contentRoutes } from './http/contentRoutes.ts'
import { documentsApi } from './http/documentsApi.ts'
import { hostApi } from './http/hostApi.ts'
import { linkRoutes } from './http/linkRoutes.ts'
import { Metrics } from './http/Metrics.ts'
import { createMetricsApp } from './http/metricsApp.ts'
import { readCertificate } from './http/readCertificate.ts'
import { requestRates } from './http/requestRates.ts'
import { sessionApi } from './http/sessionApi.ts'
import { sessionRoutes } from './http/sessionRoutes.ts'
import { createTlsServer, reloadCertificate } from './http/tlsServer.ts'
import { uploadsApi } from './http/uploadsApi.ts'
import { LevelUpdateLog } from './log/LevelUpdateLog.ts'
import { measureDisk } from './log/storeFolder.ts'
import { noMeters } from './Meters.ts'
import { rehearse } from './rehearse.ts'
import { Committer } from './room/Committer.ts'
import { DocumentGrowth } from './room/DocumentGrowth.ts'
import { Documents, MAX_CONTENT_TASKS } from './room/Documents.ts'
import { KeptStates } from './room/KeptStates.ts'
import { Pressure } from './room/Pressure.ts'
import { RecordDocument } from './room/RecordDocument.ts'
import { Rooms } from './room/Rooms.ts'
import { Saving } from './room/Saving.ts'
import { Scrub } from './room/Scrub.ts'
import type { Session } from './room/Session.ts'
import { SpaceWatch } from './room/SpaceWatch.ts'
import { StoreRecovery } from './room/StoreRecovery.ts'
import { COMMON_HEADER_LINES } from './securityHeaders.ts'
import { UnsentBytes } from './socket/UnsentBytes.ts'
import { WebSocketEndpoint } from './socket/WebSocketEndpoint.ts'
import { UploadStore } from './uploads/UploadStore.ts'
import { Workshop } from './worker/Workshop.ts'

const { version: VERSION } = createRequire(import.meta.url)('../package.json') as { version: string }

/** How long the store must have been quiet before space is given back to the file system. */
const RECLAIM_QUIET_MS = 10_000
/** The bin is looked through once a day, and so long after a start. */
const FIRST_BIN_MS = 60_000
const DAY_MS = 24 * 60 * 60_000
/** Sessions get so long to hear of their last commits before the end. */
const STOP_GRACE_MS = 250
/** What workers have under way is ended then: nobody was told that it is done. */
const STOP_WORKERS_MS = 1000
/** What a failing disk has not taken by then is given up. */
const STOP_LIMIT_MS = 3000
/** What is said where that happens. */
export const UNSTORED = 'some edits could not be stored before the stop; their authors keep them'

export interface RunningServer {
  /** Where people open it: `http://127.0.0.1:9091`. */
  readonly url: string
  /** Reads certificate and keys for tokens anew. What can't be used leaves what was before. Null: there is nothing to read. */
  readonly reload: (() => void) | null
  /**
   * No new connections; what is pending is committed; everybody is told to come back; the store is closed. Takes 4 s at most,
   * and what closing the store takes.
   * @throws {WeftError} `STORAGE_WRITE_FAILED`: some edits could not be stored; nobody was told that they are safe
   */
  stop(): Promise<void>
}

/**
 * Starts a server: opens the store, then listens.
 * @throws {ConfigError} the certificate or the file of keys can't be used
 * @throws {WeftError} what `LevelUpdateLog.open` throws
 * @throws what `listen` throws (`EADDRINUSE`, `EACCES`)
 */
export async function startServer(config: Config, logger: Logger): Promise<RunningServer> {
  const clock = guardedClock(systemClock, error => logger.error({ err: error }, 'a timer went wrong'))
  const certificate = readCertificate(config)
  if (certificate !== null && certificate.warning !== null) logger.warn(certificate.warning)
  const keys = openKeys(config, clock, logger)
  const log = await LevelUpdateLog.open({ folder: config.data, create: true })
  for (const warning of log.warnings) logger.warn(warning)
  const metrics = config.metricsPort === 0 ? null : new Metrics()
  const meters = metrics ?? noMeters
  const workerLimits = { maxHeapMiB: config.workerHeapMiB, maxBytes: config.workerBytes }
  const workshop = new Workshop({ threads: config.workers, ...workerLimits })
  const contentWorkshop = new Workshop({ threads: MAX_CONTENT_TASKS, ...workerLimits })
  const unsent = new UnsentBytes(config.maxUnsentBytes, config.maxTotalUnsentBytes)
  const saving = new Saving()
  const committer = new Committer(log, clock, logger, meters, saving)
  const auditLog = config.auditDays === 0 ? null : new AuditLog(config.data, config, clock, logger)
  const audit = auditLog ?? noAudit
  const created = (document: DocumentId, author: Session | null) => {
    // What came over HTTP is written down there.
    if (author === null) return
    const { userId: user, outlet } = author
    audit.record({ action: 'created', document, user, address: outlet.address })
  }
  const kept = new KeptStates(log, workshop, clock)
  const rooms = new Rooms(
    {
      log,
      committer,
      workshop,
      clock,
      meters,
      logger,
      settings: withUnsentBound(config, unsent),
      saving,
      created,
      keepState: (documentId, state) => kept.keep(documentId, state),
    },
    config.idleDocumentSeconds * 1000,
  )
  const pressure = new Pressure(committer, rooms, config, clock)
  saving.onChange(() => rooms.savingChanged())
  const spaceWatch = new SpaceWatch(() => measureDisk(config.data), saving, clock, logger, config)
  await spaceWatch.start()
  const scrub = new Scrub(log, clock, logger, config.scrubSeconds * 1000)
  const recovery = new StoreRecovery(log, clock, logger)
  recovery.start()
  const proxies = new TrustedProxies(config.trustedProxies, logger)
  const publicOrigins = config.publicUrls.map(url => new URL(url).origin)
  const hosts = new HostCheck([...config.origins, ...publicOrigins], config.host, logger, proxies)
  const records = await RecordDocument.open(log, rooms, clock)
  const tokens = { secret: config.authSecret, isAsking: asksForTokens(config), dataFolder: config.data }
  const own = await openOwnTokens(records, tokens, clock)
  const expected = { issuer: config.authIssuer || null, audience: config.authAudience || null }
  const access = new Access(keys.sources, clock, expected, own.signer)
  access.revokeBy(own.limits)
  access.onRecheck(() => rooms.review())
  const newDocuments = new NewDocuments(config.newDocumentsPerMinute)
  const endpoint = new WebSocketEndpoint(
    {
      access,
      rooms,
      audit,
      clock,
      meters,
      logger,
      settings: config,
      unsent,
      newDocuments,
      isBacklogged: () => pressure.isHigh,
      isStalled: () => pressure.isStalled,
    },
    config,
    hosts,
    proxies,
  )
  const uploads = new UploadStore(config.data, config.maxDocumentUploadBytes)
  await uploads.sweep(log, clock.wallTime())
  const documents = new Documents({
    log,
    uploads,
    rooms,
    committer,
    workshop,
    contentWorkshop,
    clock,
    settings: config,
    saving,
  })
  const growth = new DocumentGrowth(log, workshop, config.maxWaitingPerUser)
  const gate = new ApiGate(access, proxies)
  const creation = new Creation({ documents, gate, proxies, newDocuments, clock })
  const recheck = new Recheck(clock, () => access.recheck())
  const apiServices = { ...own, access, rooms, gate, proxies, audit, clock, recheck }
  const routes = [
    ...linkRoutes({ ...apiServices, settings: config }),
    ...accessRoutes(apiServices),
    ...sessionRoutes(apiServices),
    ...binRoutes({ ...apiServices, documents, growth, settings: config }),
    ...contentRoutes,
    ...auditRoutes({ log: auditLog, gate }),
  ]
  const app = createApp({
    webFolder: fileURLToPath(new URL('../../web/dist', import.meta.url)),
    logger,
    hosts,
    proxies,
    meters,
    requestRates: requestRates({ gate, clock, logger, settings: config }),
    documentsApi: documentsApi({ documents, creation, gate, proxies, audit, hasBin: config.binDays > 0, logger }),
    uploadsApi: uploadsApi({ uploads, documents, creation, saving, gate, logger, settings: config }),
    sessionApi: sessionApi({ access, gate, proxies, clock, logger, requestSeconds: config.requestSeconds }),
    hostApi: hostApi(routes, VERSION, { proxies, logger, requestSeconds: config.requestSeconds }),
    backupApi: backupApi({ log, uploads, gate, proxies, audit, clock, logger, settings: config }),
    requestSeconds: config.requestSeconds,
    isReady: async () => saving.state === 'saving' && log.state === 'open' && (await log.isWritable()),
  })
  const options = {
    maxHeaderSize: config.maxHeaderBytes,
    headersTimeout: config.headersSeconds * 1000,
    // An upload over a bad link; who sends a body where none is wanted is cut off by the app.
    requestTimeout: Math.max(config.uploadSeconds, config.headersSeconds) * 1000,
    connectionsCheckingInterval: 5000,
    // `HostCheck` does that, with the headers that go with every answer.
    requireHostHeader: false,
  }
  const tlsServer = certificate && createTlsServer(options, certificate, app)
  const server = tlsServer ?? createServer(options, app)
  guard(server, logger)
  server.maxConnections = config.maxConnections + HTTP_CONNECTIONS
  server.on('upgrade', (request, socket, head) => endpoint.upgrade(request, socket, head))

  await rehearse(log, workshop, config).catch(error => logger.debug({ err: error }, 'the rehearsal broke off'))
  try {
    await listen(server, config, logger)
  } catch (error) {
    await workshop.stop()
    await contentWorkshop.stop()
    spaceWatch.stop()
    recovery.stop()
    await log.close()
    throw error
  }

  metrics?.watch({
    connections: () => endpoint.connectionCount,
    sessions: () => rooms.sessionCount,
    rooms: () => rooms.count,
    unsent: () => endpoint.unsentBytes(),
    pendingBytes: () => committer.pendingBytes,
    heldBytes: () => rooms.heldBytes,
    workerTasks: () => workshop.taskCount + contentWorkshop.taskCount,
    tailBytes: () => rooms.tailBytes,
    sizes: () => rooms.sizes,
    memory: () => ({
      loaded: rooms.loadedBytes,
      openDocuments: rooms.memoryBytes,
      remembered: rooms.rememberedBytes,
      incomplete: endpoint.incompleteBytes,
      waiting: endpoint.pausedCount,
    }),
    store: () => log.stats(),
    audit: () => ({ bytes: auditLog?.bytes ?? 0, dropped: auditLog?.droppedCount ?? 0 }),
    saving: () => saving.state,
    damagedDocuments: () => log.damagedCount,
    scrubbedDocuments: () => scrub.documentCount,
    limits: {
      auditBytes: config.maxAuditBytes,
      connections: config.maxConnections,
      unsentBytes: config.maxUnsentBytes,
      pendingBytes: config.maxPendingBytes,
      heldBytes: config.cacheBytes,
      loadedBytes: config.maxLoadedBytes,
      openDocumentBytes: config.maxOpenDocumentBytes,
      rememberedBytes: config.maxRememberedBytes,
      incompleteBytes: config.maxIncompleteBytes,
      sessions: config.maxSessions,
      rooms: config.maxOpenDocuments,
      workerTasks: workshop.maxTasks + MAX_CONTENT_TASKS,
    },
  })
  const metricsServer = metrics === null ? null : await serveMetrics(metrics, config, logger)

  let reclaimTimer: Timer
  const scheduleReclaim = () => {
    reclaimTimer = clock.setTimer(async () => {
      try {
        if (committer.isQuietFor(RECLAIM_QUIET_MS)) await log.reclaim()
      } catch (error) {
        logger.warn({ err: error }, 'space could not be given back to the file system')
      }
      scheduleReclaim()
    }, RECLAIM_QUIET_MS)
  }
  scheduleReclaim()
  scrub.start()

  let binTimer: Timer
  const scheduleBin = (delayMs: number) => {
    binTimer = clock.setTimer(async () => {
      try {
        const count = await documents.emptyBin(clock.wallTime() - config.binDays * DAY_MS)
        if (count > 0) logger.info({ count }, 'documents that were long in the bin are gone for good')
      } catch (error) {
        logger.warn({ err: error }, 'the bin could not be emptied')
      }
      scheduleBin(DAY_MS)
    }, delayMs)
  }
  scheduleBin(FIRST_BIN_MS)

  const pause = (ms: number) => new Promise<void>(resolve => clock.setTimer(resolve, ms))
  const stop = async () => {
    clock.clearTimer(reclaimTimer)
    clock.clearTimer(binTimer)
    spaceWatch.stop()
    scrub.stop()
    recovery.stop()
    keys.stop()
    endpoint.refuseNew()
    server.close()
    metricsServer?.close()
    metricsServer?.closeAllConnections()
    const storeAll = async () => {
      // For a moment only: those who go on writing would make it last for ever.
      await Promise.race([committer.flush(), pause(STOP_GRACE_MS)])
      await endpoint.closeAll()
      // What came in while the goodbyes went out.
      await pause(STOP_GRACE_MS)
      await committer.flush()
      return true
    }
    // Told before the committer gives up, which ends its flush, too.
    const isStored = await Promise.race([storeAll(), pause(STOP_LIMIT_MS).then(() => false)])
    committer.stop()
    rooms.stop()
    await Promise.all([workshop.stop(STOP_WORKERS_MS), contentWorkshop.stop(0)])
    await log.close()
    await auditLog?.stop()
    server.closeAllConnections()
    if (!isStored) throw new WeftError('STORAGE_WRITE_FAILED', UNSTORED)
  }
  const reloads = [tlsServer && (() => reloadCertificate(tlsServer, config, logger)), keys.reload].filter(
    reload => reload !== null,
  )
  return {
    url: urlOf(server, config),
    reload: reloads.length === 0 ? null : () => reloads.forEach(reload => void reload()),
    stop,
  }
}

/** The settings of rooms, whose bound for a slow reader becomes smaller where all readers together hold much. */
function withUnsentBound(config: Config, unsent: UnsentBytes): Config {
  return Object.create(config, { maxUnsentBytes: { get: () => unsent.bound, enumerable: true } }) as Config
}

/** @returns null where it can't listen: documents matter more than their numbers */
async function serveMetrics(metrics: Metrics, config: Config, logger: Logger): Promise<Server | null> {
  const { metricsHost: host, metricsPort: port } = config
  const server = createServer(createMetricsApp(metrics, new HostCheck([], host, logger)))
  guard(server, logger)
  try {
    await listen(server, { host, port }, logger)
    return server
  } catch (error) {
    const why = error instanceof Error ? error.message : error
    logger.warn(`metrics can't be served: ${why}; WEFT_METRICS_PORT (--metrics-port) chooses a port (0: none)`)
    return null
  }
}

/** What a request that never becomes one is answered, by Node's code of what went wrong. */
const STATUS_OF_BROKEN: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

// A socket that breaks before a request is complete must not end the process, and gets an answer where it can.
function guard(server: Server | TlsServer, logger: Logger): void {
  server.maxHeadersCount = MAX_HEADERS
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // Not the error itself: it holds the whole request, with a token perhaps.
    logger.debug({ code: error.code }, 'a broken request')
    if (!socket.writable) {
      socket.destroy()
      return
    }
    const status = STATUS_OF_BROKEN[error.code ?? ''] ?? '400 Bad Request'
    // Whoever doesn't leave then must not keep the descriptor.
    socket.once('finish', () => socket.destroy())
    const head = [`HTTP/1.1 ${status}`, 'Connection: close', 'Content-Length: 0', ...COMMON_HEADER_LINES]
    socket.end(`${head.join('\r\n')}\r\n\r\n`)
  })
  server.on('connection', (socket: Socket) => {
    socket.setNoDelay(true)
    socket.on('error', error => logger.debug({ err: error }, 'a socket broke'))
  })
}

function listen(
  server: Server | TlsServer,
  { host, port }: Pick<Config, 'host' | 'port'>,
  logger: Logger,
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, backlog: 4096 }, () => {
      server.off('error', reject)
      // A connection that can't be accepted (no descriptors left, say) must not end the process.
      server.on('error', error => logger.error({ err: error }, 'a connection could not be accepted'))
      resolve()
    })
  })
}

function urlOf(server: Server | TlsServer, config: Config): string {
  const { port } = server.address() as AddressInfo
  const host = config.host === '0.0.0.0' || config.host === '::' ? 'localhost' : config.host
  return `${config.tlsCert === '' ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`
}
