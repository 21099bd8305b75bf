import express, { type Request, type Response, type Router } from 'express'
import type { Logger } from 'pino'
import type { TrustedProxies } from '../access/TrustedProxies.ts'
import type { Audit } from '../audit/AuditEntry.ts'
import { encodeBackup } from '../backup/encodeBackup.ts'
import { withFiles } from '../backup/withFiles.ts'
import type { Clock } from '../clock.ts'
import { WeftError } from '../errors.ts'
import type { UpdateLog } from '../log/UpdateLog.ts'
import type { UploadStore } from '../uploads/UploadStore.ts'
import { actorOf } from './ApiActor.ts'
import { ApiError, badMethod } from './ApiError.ts'
import type { ApiGate } from './ApiGate.ts'
import { answerApiError } from './answerApiError.ts'

/** Backups at the same time: each holds its largest document or file, and keeps space from being given back. */
const MAX_BACKUPS = 2
/** A client that doesn't take so many bytes within `slowReaderSeconds` is cut. */
const CHUNK_BYTES = 64 << 10

export interface BackupServices {
  readonly log: Pick<UpdateLog, 'documents'>
  readonly uploads: Pick<UploadStore, 'view'>
  readonly gate: ApiGate
  readonly proxies: TrustedProxies
  readonly audit: Audit
  readonly clock: Clock
  readonly logger: Logger
  readonly settings: { readonly slowReaderSeconds: number }
}

/**
 * Gives out a backup of the whole store (`backup/backupFormat.ts`), as it is when the answer begins. The client's reading draws it
 * out of the store: no more than a document or a file, and two chunks, are held for it. Where something fails after the beginning, the answer
 * breaks off; a backup without its end is none.
 */
export function backupApi({ log, uploads, gate, proxies, audit, clock, logger, settings }: BackupServices): Router {
  const router = express.Router()
  let running = 0

  router.use((request, response, next) => {
    response.set({ 'Cache-Control': 'no-store', Vary: 'Authorization' })
    if (request.path === '/') answer(request, response).catch(next)
    else next()
  })

  async function answer(request: Request, response: Response): Promise<void> {
    if (request.method !== 'GET') throw badMethod(response, 'GET')
    const { userId } = await gate.admitEverywhere(request, 'owner')
    if (running >= MAX_BACKUPS) throw new ApiError('busy', `${running} backups are under way already`)
    audit.record({ ...actorOf(request, proxies, userId), action: 'backup' })
    running++
    try {
      await send(response)
    } finally {
      running--
    }
  }

  async function send(response: Response): Promise<void> {
    const at = clock.wallTime()
    const name = `weft-${new Date(at).toISOString().replaceAll(':', '')}.weft`
    try {
      for await (const chunk of encodeBackup(withFiles(log.documents(), uploads), at, CHUNK_BYTES)) {
        // Only now, for the store may refuse.
        if (!response.headersSent) {
          response.set({
            'Content-Type': 'application/octet-stream',
            'Content-Disposition': `attachment; filename="${name}"`,
          })
        }
        await write(response, chunk)
        // A client that reads as fast as this writes must not keep everybody else waiting.
        await new Promise<void>(resolve => clock.soon(resolve))
      }
      response.end()
    } catch (error) {
      if (!response.headersSent) throw error
      // Broken off: the client sees an answer that isn't complete.
      response.destroy()
      if (error instanceof ClientGone) logger.info(error.message)
      else if (error instanceof WeftError && error.code === 'STORE_CLOSED') logger.warn('a stop broke off a backup')
      else logger.error({ err: error }, 'a backup broke off')
    }
  }

  /** Resolves when the next chunk may follow. @throws {ClientGone} */
  function write(response: Response, chunk: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => {
        clock.clearTimer(timer)
        response.off('drain', settle)
        response.off('close', gone)
        if (error) reject(error)
        else resolve()
      }
      const gone = () => settle(new ClientGone('the client of a backup left'))
      const timer = clock.setTimer(() => {
        settle(new ClientGone('the client of a backup reads too slowly'))
      }, settings.slowReaderSeconds * 1000)
      response.on('drain', settle)
      response.on('close', gone)
      if (response.destroyed) gone()
      else if (response.write(chunk)) settle()
    })
  }

  router.use(answerApiError(logger))
  return router
}

class ClientGone extends Error {}
