import { on, once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type DocumentId, encodeAck, encodeSyncStep1, encodeSyncStep2, encodeUpdate, messageType } from '@weft/protocol'
import pino from 'pino'
import { WebSocket } from 'ws'
import * as Y from 'yjs'
import { Access } from './access/Access.ts'
import { HostCheck } from './access/HostCheck.ts'
import { TrustedProxies } from './access/TrustedProxies.ts'
import { noAudit } from './audit/AuditEntry.ts'
import { systemClock } from './clock.ts'
import type { Config } from './config.ts'
import { EMPTY_UPDATE } from './crdt/emptyUpdate.ts'
import { Knowledge } from './crdt/Knowledge.ts'
import { readUpdate } from './crdt/readUpdate.ts'
import { NO_LIMITS } from './crdt/UpdateLimits.ts'
import type { StoredDocument, UpdateLog } from './log/UpdateLog.ts'
import { noMeters } from './Meters.ts'
import { Committer } from './room/Committer.ts'
import type { RoomServices } from './room/Room.ts'
import { Rooms } from './room/Rooms.ts'
import { WebSocketEndpoint } from './socket/WebSocketEndpoint.ts'
import type { Workshop } from './worker/Workshop.ts'

const LOOPBACK = '127.0.0.1'
const DOCUMENT = 'rehearsal' as DocumentId
/** Whatever goes wrong: the start doesn't wait longer. */
const LIMIT_MS = 1000

/**
 * Serves one client of a document that exists in memory only, before anybody else comes: it joins, edits, is acknowledged and
 * leaves. V8 compiles a function when it is called for the first time; without this the first person after a restart waits for
 * all of those on the way of a join.
 *
 * Nothing of it is stored or counted; nobody sees more of it than a port of the loopback interface, open for a moment.
 */
export async function rehearse(log: UpdateLog, workshop: Workshop, settings: Config): Promise<void> {
  const clock = systemClock
  const meters = noMeters
  const logger = pino({ level: 'silent' })
  const proxies = new TrustedProxies([], logger)
  const { stored, edit } = sample()
  const committer = new Committer({ state: 'open', append: async () => {}, reopen: async () => {} }, clock, logger)
  const sampleLog: RoomServices['log'] = {
    async read(documentId) {
      // The store's own way, too. Reading what nobody has written makes nothing.
      await log.read(documentId)
      return stored
    },
    open: documentId => log.open(documentId),
    readRemains: async () => null,
    compact: async () => {},
  }
  const rooms = new Rooms({ log: sampleLog, committer, workshop, clock, meters, logger, settings }, 0)
  const endpoint = new WebSocketEndpoint(
    {
      rooms,
      audit: noAudit,
      clock,
      meters,
      logger,
      settings,
      access: new Access([], clock),
      isBacklogged: () => false,
    },
    settings,
    new HostCheck([], LOOPBACK, logger, proxies),
    proxies,
  )
  const server = createServer()
  server.on('upgrade', (request, socket, head) => endpoint.upgrade(request, socket, head))
  try {
    server.listen(0, LOOPBACK)
    await once(server, 'listening')
    await visit((server.address() as AddressInfo).port, edit)
  } finally {
    await endpoint.closeAll()
    server.close()
    server.closeAllConnections()
    committer.stop()
    rooms.stop()
  }
}

async function visit(port: number, edit: Uint8Array): Promise<void> {
  const client = new WebSocket(`ws://${LOOPBACK}:${port}/${DOCUMENT}`, { perMessageDeflate: false })
  // Where the process stands still for longer than the limit, it breaks when nobody waits for it any more.
  client.on('error', () => {})
  const signal = AbortSignal.timeout(LIMIT_MS)
  try {
    const messages = on(client, 'message', { signal, close: ['close'] })
    await once(client, 'open', { signal })
    client.send(encodeSyncStep1(Uint8Array.of(0)))
    client.send(encodeSyncStep2(EMPTY_UPDATE))
    client.send(encodeUpdate(edit))
    client.send(encodeAck(Uint8Array.of(0)))
    for await (const [message] of messages) if (message[0] === messageType.ack) break
    client.close()
    await once(client, 'close', { signal })
  } finally {
    client.terminate()
  }
}

/** A document with a snapshot, deletions and a tail, and the next edit in it. */
function sample(): { stored: StoredDocument; edit: Uint8Array } {
  const updates: Uint8Array[] = []
  const ydoc = new Y.Doc()
  ydoc.on('update', update => updates.push(update))
  const text = ydoc.getText()
  for (const word of ['one ', 'two ', 'three ']) text.insert(0, word)
  text.delete(2, 4)
  const snapshot = Y.encodeStateAsUpdate(ydoc)
  const knowledge = new Knowledge()
  knowledge.add(readUpdate(snapshot, NO_LIMITS))
  const snapshotSeq = updates.length
  text.insert(0, 'four ')
  text.insert(0, 'five ')
  const edit = updates.pop() ?? EMPTY_UPDATE
  const stored: StoredDocument = {
    head: updates.length,
    snapshotSeq,
    snapshotBytes: snapshot.length,
    snapshot,
    knowledge: knowledge.encode(),
    keptAfter: snapshotSeq,
    keptStateVector: knowledge.encodeStateVector(),
    entries: updates.slice(snapshotSeq).map((update, index) => ({ seq: snapshotSeq + 1 + index, update, time: 0 })),
    deletedAt: null,
  }
  return { stored, edit }
}
