import type { Express } from 'express'
import type { Logger } from 'pino'
import type { Access } from '../access/Access.ts'
import type { HostCheck } from '../access/HostCheck.ts'
import type { NewDocuments } from '../access/NewDocuments.ts'
import type { OwnTokens } from '../access/openOwnTokens.ts'
import { Recheck } from '../access/Recheck.ts'
import type { TrustedProxies } from '../access/TrustedProxies.ts'
import { noAudit } from '../audit/AuditEntry.ts'
import type { AuditLog } from '../audit/AuditLog.ts'
import type { Clock } from '../clock.ts'
import type { Config } from '../config.ts'
import type { LevelUpdateLog } from '../log/LevelUpdateLog.ts'
import type { Meters } from '../Meters.ts'
import type { DocumentGrowth } from '../room/DocumentGrowth.ts'
import type { Documents } from '../room/Documents.ts'
import type { Rooms } from '../room/Rooms.ts'
import type { Saving } from '../room/Saving.ts'
import type { UploadStore } from '../uploads/UploadStore.ts'
import { ApiGate } from './ApiGate.ts'
import { accessRoutes } from './accessRoutes.ts'
import { createApp } from './app.ts'
import { auditRoutes } from './auditRoutes.ts'
import { backupApi } from './backupApi.ts'
import { binRoutes } from './binRoutes.ts'
import { Creation } from './Creation.ts'
import { contentRoutes } from './contentRoutes.ts'
import { documentsApi } from './documentsApi.ts'
import { hostApi } from './hostApi.ts'
import { linkRoutes } from './linkRoutes.ts'
import { requestRates } from './requestRates.ts'
import { sessionApi } from './sessionApi.ts'
import { sessionRoutes } from './sessionRoutes.ts'
import { uploadsApi } from './uploadsApi.ts'

/** What requests are answered from. */
export interface AppParts {
  readonly version: string
  /** The built web app. */
  readonly webFolder: string
  readonly log: LevelUpdateLog
  readonly documents: Documents
  readonly growth: DocumentGrowth
  readonly uploads: UploadStore
  readonly rooms: Rooms
  readonly saving: Saving
  readonly access: Access
  readonly own: OwnTokens
  readonly newDocuments: NewDocuments
  readonly hosts: HostCheck
  readonly proxies: TrustedProxies
  /** Null: there is none. */
  readonly auditLog: AuditLog | null
  readonly meters: Meters
  readonly clock: Clock
  readonly logger: Logger
}

/** The HTTP side of a server, from its parts: which of them each group of routes needs. */
export function openApp(parts: AppParts, config: Config): Express {
  const { log, documents, growth, uploads, rooms, saving, access, own, newDocuments, hosts, proxies, clock, logger } =
    parts
  const { requestSeconds } = config
  const audit = parts.auditLog ?? noAudit
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
    ...auditRoutes({ log: parts.auditLog, gate }),
  ]
  return createApp({
    webFolder: parts.webFolder,
    logger,
    hosts,
    proxies,
    meters: parts.meters,
    requestRates: requestRates({ gate, clock, logger, settings: config }),
    documentsApi: documentsApi({ documents, creation, gate, proxies, audit, hasBin: config.binDays > 0, logger }),
    uploadsApi: uploadsApi({ uploads, documents, creation, saving, gate, logger, settings: config }),
    sessionApi: sessionApi({ access, gate, proxies, clock, logger, requestSeconds }),
    hostApi: hostApi(routes, parts.version, { proxies, logger, requestSeconds }),
    backupApi: backupApi({ log, uploads, gate, proxies, audit, clock, logger, settings: config }),
    requestSeconds,
    isReady: async () => saving.state === 'saving' && log.state === 'open' && (await log.isWritable()),
  })
}
