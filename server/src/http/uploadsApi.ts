import { BadDocumentIdError, type DocumentId, documentIdFromPath } from '@weft/protocol'
import express, { type Request, type Response, type Router } from 'express'
import type { Logger } from 'pino'
import type { Documents } from '../room/Documents.ts'
import type { Saving } from '../room/Saving.ts'
import { INERT_POLICY } from '../securityHeaders.ts'
import type { Holder } from '../Turnstile.ts'
import { typeOfName } from '../uploads/sniffType.ts'
import { type Upload, type UploadStore, UploadsFullError } from '../uploads/UploadStore.ts'
import { isUploadName } from '../uploads/uploadFiles.ts'
import { ApiError } from './ApiError.ts'
import type { ApiGate } from './ApiGate.ts'
import { answerApiError } from './answerApiError.ts'
import { ByteBudget } from './ByteBudget.ts'
import type { Creation } from './Creation.ts'
import { hangUpOnSlow } from './hangUpOnSlow.ts'
import { readBody } from './readBody.ts'

/** Bytes of uploads that all requests together hold on their way in, and on their way out. */
const MAX_HELD_BYTES = 64 << 20
/** Of one user. */
const MAX_SHARE_BYTES = MAX_HELD_BYTES / 4
/** Longest name of a download, in characters. */
const MAX_NAME = 200

export interface UploadsApiServices {
  readonly uploads: UploadStore
  readonly documents: Pick<Documents, 'find'>
  readonly creation: Creation
  readonly saving: Pick<Saving, 'isFull'>
  readonly gate: ApiGate
  readonly logger: Logger
  readonly settings: { readonly maxUploadBytes: number }
}

/**
 * Files that people put into documents (`PROTOCOL.md`): `POST …/documents/NAME/uploads`, and `GET` of what that answers. Passes on
 * what is none of these: all other paths below `/documents` are names.
 *
 * A file is what its bytes say, not what anybody calls it; what is no image that every browser knows is only ever a download.
 */
export function uploadsApi({
  uploads,
  documents,
  creation,
  saving,
  gate,
  logger,
  settings,
}: UploadsApiServices): Router {
  const router = express.Router()
  const bodies = new ByteBudget(MAX_HELD_BYTES, Math.max(settings.maxUploadBytes, MAX_SHARE_BYTES))
  const answers = new ByteBudget(MAX_HELD_BYTES, MAX_SHARE_BYTES)

  router.use((request, response, next) => {
    const path = request.url.split('?', 1)[0] ?? ''
    const [, name, file] = /^(\/.+)\/uploads(?:\/([^/]+))?$/u.exec(path) ?? []
    const isTaken = request.method === 'POST' && name !== undefined && file === undefined
    const isGiven = isRead(request) && name !== undefined && file !== undefined && isUploadName(file)
    if (!isTaken && !isGiven) {
      next('router')
      return
    }
    response.set({ 'Content-Security-Policy': INERT_POLICY, Vary: 'Authorization, Cookie' })
    const answer = isGiven
      ? give(request, response, readName(name), file)
      : take(request, response, readName(name), name)
    answer.catch(next)
  })

  async function take(request: Request, response: Response, documentId: DocumentId, path: string): Promise<void> {
    const grant = await gate.admitPerson(request, documentId, 'editor')
    const holder = await gate.holderOf(request)
    await refuseDeleted(documentId, holder)
    // A file is a beginning, too: nobody fills the disk under names that nobody writes.
    await creation.admit(request, response, grant, documentId)
    if (saving.isFull) throw new ApiError('unavailable', 'too little space is left for the store')
    const body = await readBody(request, { maxBytes: settings.maxUploadBytes, budget: bodies, holder: holder.id })
    try {
      if (body.content.length === 0) throw new ApiError('bad-request', 'the upload is empty')
      await refuseDeleted(documentId, holder)
      const { file, bytes, isNew } = await uploads.put(documentId, body.content, holder)
      // Deleted while it was written: the file stays in the bin with the others, or goes at the next start.
      await refuseDeleted(documentId, holder)
      const type = typeOfName(file)
      response.status(isNew ? 201 : 200).set('Cache-Control', 'no-store')
      // Below the server, wherever a proxy puts that.
      response.json({
        path: `/api/v1/documents${path}/uploads/${file}`,
        type: type?.mediaType,
        isImage: type?.isImage,
        bytes,
      })
    } catch (error) {
      if (error instanceof UploadsFullError) throw new ApiError('too-large', error.message)
      throw error
    } finally {
      body.release()
    }
  }

  async function refuseDeleted(documentId: DocumentId, holder: Holder): Promise<void> {
    if ((await documents.find(documentId, { holder })).presence === 'deleted') {
      throw new ApiError('deleted', 'the document was deleted')
    }
  }

  async function give(request: Request, response: Response, documentId: DocumentId, file: string): Promise<void> {
    await gate.admitPerson(request, documentId, 'viewer')
    const holder = await gate.holderOf(request)
    // They stay with a document in the bin.
    await refuseDeleted(documentId, holder)
    const found = await uploads.find(documentId, file)
    const type = typeOfName(file)
    if (found === null || type === null) throw new ApiError('not-found', 'the document has no such upload')
    // Asked for each time, for rights end; what is asked for is whether anything has changed, and it hasn't.
    response.set({ 'Cache-Control': 'private, no-cache', ETag: `"${file}"` })
    if (request.fresh) {
      response.status(304).end()
      return
    }
    response.set({
      'Content-Type': type.mediaType,
      'Content-Disposition': `${type.isImage ? 'inline' : 'attachment'}${fileName(request)}`,
    })
    if (request.method === 'HEAD' && (await uploads.isKnown(documentId, found)))
      response.set('Content-Length', String(found.bytes)).end()
    else await send(response, documentId, found, holder.id)
  }

  async function send(response: Response, documentId: DocumentId, found: Upload, holder: string): Promise<void> {
    if (!answers.take(found.bytes, holder)) throw new ApiError('busy', 'too many answers are being read')
    let isHeld = true
    const release = () => {
      if (isHeld) answers.give(found.bytes, holder)
      isHeld = false
    }
    response.once('close', release)
    try {
      const bytes = await uploads.read(documentId, found)
      if (bytes === null) throw new ApiError('not-found', 'the document has no such upload')
      hangUpOnSlow(response, bytes.length)
      // Not `send`, which adds a charset of its own.
      response.set('Content-Length', String(bytes.length)).end(response.req.method === 'HEAD' ? undefined : bytes)
    } catch (error) {
      release()
      response.removeHeader('Content-Disposition')
      throw error
    }
  }

  router.use(answerApiError(logger))
  return router
}

function isRead({ method }: Request): boolean {
  return method === 'GET' || method === 'HEAD'
}

function readName(path: string): DocumentId {
  try {
    return documentIdFromPath(path)
  } catch (error) {
    if (error instanceof BadDocumentIdError) throw new ApiError('bad-name', error.message)
    throw error
  }
}

/** How a download is called where the query says so (`?name=`): RFC 6266, section 4.1; nothing that ends the header or a path. */
function fileName(request: Request): string {
  const { name } = request.query
  if (typeof name !== 'string' || name === '') return ''
  const clean = [...name.replace(/[\p{C}/\\]/gu, '_')].slice(0, MAX_NAME).join('')
  const encoded = encodeURIComponent(clean).replace(/['()*]/gu, character => `%${character.charCodeAt(0).toString(16)}`)
  return `; filename*=UTF-8''${encoded}`
}
