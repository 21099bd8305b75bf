import type { AuditLog } from './audit/AuditLog.ts'
import type { Config } from './config.ts'
import type { MetricsSources } from './http/Metrics.ts'
import type { LevelUpdateLog } from './log/LevelUpdateLog.ts'
import type { Committer } from './room/Committer.ts'
import { MAX_CONTENT_TASKS } from './room/Documents.ts'
import type { Rooms } from './room/Rooms.ts'
import type { Saving } from './room/Saving.ts'
import type { Scrub } from './room/Scrub.ts'
import type { WebSocketEndpoint } from './socket/WebSocketEndpoint.ts'
import type { Workshop } from './worker/Workshop.ts'

export interface MeasuredParts {
  readonly log: LevelUpdateLog
  readonly rooms: Rooms
  readonly committer: Committer
  readonly endpoint: WebSocketEndpoint
  readonly workshop: Workshop
  readonly contentWorkshop: Workshop
  readonly saving: Saving
  readonly scrub: Scrub
  /** Null: there is none. */
  readonly auditLog: AuditLog | null
}

/** Which part of a server knows what the metrics tell, and what its bounds are. */
export function metricsSources(parts: MeasuredParts, config: Config): MetricsSources {
  const { log, rooms, committer, endpoint, workshop, contentWorkshop, saving, scrub, auditLog } = parts
  return {
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
  }
}
