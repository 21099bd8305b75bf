import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { DocumentId } from '@weft/protocol'
import type { Logger } from 'pino'
import { Access } from './access/Access.ts'
import { HostCheck } from './access/HostCheck.ts'
import { NewDocuments } from './access/NewDocuments.ts'
import { asksForTokens, openKeys } from './access/openKeys.ts'
import { openOwnTokens } from './access/openOwnTokens.ts'
import { HTTP_CONNECTIONS } from './access/requestFault.ts'
import { TrustedProxies } from './access/TrustedProxies.ts'
import { noAudit } from './audit/AuditEntry.ts'
import { AuditLog } from './audit/AuditLog.ts'
import { guardedClock, systemClock } from './clock.ts'
import type { Config } from './config.ts'
import { WeftError } from './errors.ts'
import { guard, listen, urlOf } from './http/listen.ts'
import { Metrics } from './http/Metrics.ts'
import { openApp } from './http/openApp.ts'
import { readCertificate } from './http/readCertificate.ts'
import { serveMetrics } from './http/serveMetrics.ts'
import { createTlsServer, reloadCertificate } from './http/tlsServer.ts'
import { LevelUpdateLog } from './log/LevelUpdateLog.ts'
import { describeRights, measureDisk } from './log/storeFolder.ts'
import { noMeters } from './Meters.ts'
import { metricsSources } from './metricsSources.ts'
import { rehearse } from './rehearse.ts'
import { Committer } from './room/Committer.ts'
import { DocumentGrowth } from './room/DocumentGrowth.ts'
import { Documents, MAX_CONTENT_TASKS } from './room/Documents.ts'
import { Housekeeping } from './room/Housekeeping.ts'
import { KeptStates } from './room/KeptStates.ts'
import type { Member } from './room/Member.ts'
import { Pressure } from './room/Pressure.ts'
import { RecordDocument } from './room/RecordDocument.ts'
import { Rooms } from './room/Rooms.ts'
import { Saving } from './room/Saving.ts'
import { Scrub } from './room/Scrub.ts'
import { SpaceWatch } from './room/SpaceWatch.ts'
import { StoreRecovery } from './room/StoreRecovery.ts'
import { UnsentBytes } from './socket/UnsentBytes.ts'
import { WebSocketEndpoint } from './socket/WebSocketEndpoint.ts'
import { UploadStore } from './uploads/UploadStore.ts'
import { Workshop } from './worker/Workshop.ts'

const { version: VERSION } = createRequire(import.meta.url)('../package.json') as { version: string }

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
  for (const warning of [...log.warnings, await describeRights(config.data)]) if (warning !== null) logger.warn(warning)
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
  const created = (document: DocumentId, author: Member | null) => {
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
  const app = openApp(
    {
      version: VERSION,
      webFolder: fileURLToPath(new URL('../../web/dist', import.meta.url)),
      log,
      documents,
      growth,
      uploads,
      rooms,
      saving,
      access,
      own,
      newDocuments,
      hosts,
      proxies,
      auditLog,
      meters,
      clock,
      logger,
    },
    config,
  )
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

  const measured = { log, rooms, committer, endpoint, workshop, contentWorkshop, saving, scrub, auditLog }
  metrics?.watch(metricsSources(measured, config))
  const metricsServer = metrics === null ? null : await serveMetrics(metrics, config, logger)

  scrub.start()
  const housekeeping = new Housekeeping({ log, committer, documents, clock, logger, settings: config })
  housekeeping.start()

  const pause = (ms: number) => new Promise<void>(resolve => clock.setTimer(resolve, ms))
  const stop = async () => {
    housekeeping.stop()
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
