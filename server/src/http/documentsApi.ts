import { BadDocumentIdError, type DocumentId, documentIdFromPath, isKept, splitPart, withPart } from '@weft/protocol'
import express, { type Request, type Response, type Router } from 'express'
import type { Logger } from 'pino'
import { writerOf } from '../access/Role.ts'
import type { TrustedProxies } from '../access/TrustedProxies.ts'
import type { Audit } from '../audit/AuditEntry.ts'
import { type ContentForm, contentForms } from '../ContentError.ts'
import { WeftError } from '../errors.ts'
import type { Documents } from '../room/Documents.ts'
import type { FoundDocument } from '../room/storedFacts.ts'
import { INERT_POLICY } from '../securityHeaders.ts'
import { actorOf } from './ApiActor.ts'
import { ApiError, badMethod } from './ApiError.ts'
import type { ApiGate } from './ApiGate.ts'
import { answerApiError } from './answerApiError.ts'
import { ByteBudget } from './ByteBudget.ts'
import type { Creation } from './Creation.ts'
import { contentQueries, contentTypes as types } from './contentRoutes.ts'
import { hangUpOnSlow } from './hangUpOnSlow.ts'
import { type RequestBody, readBody } from './readBody.ts'
import { readQuery } from './readRequest.ts'

/** Largest content that is taken in. 4 MiB of Markdown are 2 s of a worker. */
const MAX_CONTENT_BYTES = 4 << 20
/** Largest update that is taken in: offline work of months. Checking 20 MB takes a worker a second. */
const MAX_UPDATE_BYTES = 64 << 20
/** Content that all requests together hold on its way in; one user may hold the largest update. */
const MAX_BODIES_BYTES = 2 * MAX_UPDATE_BYTES
/** The same on its way out, and of one user: one answer, or several that are smaller. */
const MAX_ANSWERS_BYTES = 64 << 20
const MAX_ANSWERS_SHARE_BYTES = MAX_ANSWERS_BYTES / 4
/**
 * Conditions for a change that aren't looked at (`base` is). Whoever sends one relies on it: passed over, it would overwrite
 * what it was meant to keep (RFC 9110, sections 13 and 14.5).
 */
const CONDITIONS = ['if-match', 'if-none-match', 'if-unmodified-since', 'content-range']

export interface DocumentsApiServices {
  readonly documents: Documents
  readonly creation: Creation
  readonly gate: ApiGate
  readonly proxies: TrustedProxies
  readonly audit: Audit
  /** Whether what is deleted is kept for a while. */
  readonly hasBin: boolean
  readonly logger: Logger
}

/**
 * Documents over HTTP (`PROTOCOL.md`): listed, given out, taken in and deleted. The path is the document's name, as in the
 * WebSocket's URL. Each answer that isn't content is JSON; errors are `{ error: { code, message } }` (`ApiError`).
 */
export function documentsApi({
  documents,
  creation,
  gate,
  proxies,
  audit,
  hasBin,
  logger,
}: DocumentsApiServices): Router {
  const router = express.Router()
  const bodies = new ByteBudget(MAX_BODIES_BYTES, MAX_UPDATE_BYTES)
  const answers = new ByteBudget(MAX_ANSWERS_BYTES, MAX_ANSWERS_SHARE_BYTES)

  router.use((request, response, next) => {
    // What people wrote, under the address of the server: it may do nothing, and is kept by no cache that others use.
    response.set({ 'Content-Security-Policy': INERT_POLICY })
    response.set({ 'Cache-Control': 'private, no-cache', Vary: 'Accept, Authorization, Cookie' })
    const path = request.url.split('?', 1)[0] ?? ''
    if (path === '/' || path === '') answerList(request, response).catch(next)
    else answerDocument(request, response, path).catch(next)
  })

  async function answerList(request: Request, response: Response): Promise<void> {
    if (request.method !== 'GET' && request.method !== 'HEAD') throw badMethod(response, 'GET, HEAD')
    const { scopes, mayRead } = await gate.reader(request)
    const { prefix, after, limit } = readQuery(contentQueries.list, request)
    const names: { name: string; createdAt: string }[] = []
    let next: string | null = null
    // Only what may be read is looked at: nothing tells of other names, and none of them costs anything.
    for await (const { documentId, createdAt } of documents.list({ scopes, prefix, after: after ?? null })) {
      if (!mayRead(documentId)) continue
      if (names.length === limit) {
        next = names.at(-1)?.name ?? null
        break
      }
      names.push({ name: documentId, createdAt: new Date(createdAt).toISOString() })
    }
    response.json({ documents: names, next })
  }

  async function answerDocument(request: Request, response: Response, path: string): Promise<void> {
    const documentId = readName(path)
    switch (request.method) {
      case 'GET':
      case 'HEAD':
        return give(request, response, documentId)
      case 'PUT':
        return take(request, response, documentId)
      case 'PATCH':
        return merge(request, response, documentId)
      case 'DELETE':
        return remove(request, response, documentId)
      default:
        throw badMethod(response, 'GET, HEAD, PUT, PATCH, DELETE')
    }
  }

  async function give(request: Request, response: Response, document: DocumentId): Promise<void> {
    const { userId } = await gate.admit(request, document, 'viewer')
    const holder = await gate.holderOf(request)
    const { part, ...query } = readQuery(contentQueries.get, request)
    const documentId = readPart(document, part)
    await gate.admit(request, documentId, 'viewer')
    const form = readForm(request, query.format)
    const isDamaged = query.damaged === 'true'
    const describe = ({ presence, version, tag }: FoundDocument) => {
      if (presence !== 'there') throw absent(presence)
      response.set('Weft-Version', String(version))
      // What is left of a document is no version of it.
      if (!isDamaged) response.set('ETag', `W/"${tag}.${form}"`)
    }
    describe(await documents.find(documentId, { isDamaged, holder }))
    if (request.fresh) {
      response.status(304).end()
      return
    }
    const rendered = await documents.render(documentId, form, goneSignal(response), { isDamaged, holder })
    describe(rendered)
    if (rendered.damage !== null) response.set('Weft-Damaged', String(rendered.version))
    if (rendered.rendering === null) return
    const { bytes, leftOut } = rendered.rendering
    // What this version doesn't know and can't show; the update has it.
    if (leftOut > 0) response.set('Weft-Left-Out', String(leftOut))
    response.set('Content-Type', form === 'yjs' ? types.yjs : `${types[form]}; charset=utf-8`)
    audit.record({ ...actorOf(request, proxies, userId), action: 'read', document: documentId, bytes: bytes.length })
    send(response, bytes, holder.id)
  }

  function send(response: Response, bytes: Uint8Array, holder: string): void {
    if (response.destroyed) return
    if (!answers.take(bytes.length, holder)) throw new ApiError('busy', 'too many answers are being read')
    response.once('close', () => answers.give(bytes.length, holder))
    hangUpOnSlow(response, bytes.length)
    response.send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  }

  async function take(request: Request, response: Response, documentId: DocumentId): Promise<void> {
    const grant = await gate.admit(request, documentId, 'editor')
    const { anew, base } = readQuery(contentQueries.put, request)
    // It takes back what only an owner may do.
    if (anew === 'true') await gate.admit(request, documentId, 'owner')
    const mustBeEmpty = request.headers['if-none-match']?.trim() === '*'
    refuseConditions(request, mustBeEmpty ? ['if-none-match'] : [])
    if (mustBeEmpty && base !== undefined) throw new ApiError('bad-request', 'base is of a document that is there')
    await creation.admit(request, response, grant, documentId)
    const form = readContentType(request)
    const holder = await gate.holderOf(request)
    const options = {
      base: base ?? null,
      isAnew: anew === 'true',
      mustBeEmpty,
      signal: goneSignal(response),
      holder,
    }
    // Read only now: nobody unknown makes us hold anything.
    const body: RequestBody = await readBody(request, {
      maxBytes: MAX_CONTENT_BYTES,
      budget: bodies,
      holder: holder.id,
    })
    try {
      const { found, isChanged } = await documents.replace(documentId, form, body.content, options)
      if (found === 'deleted' && anew !== 'true') throw absent(found)
      if (found !== 'there') created(request, documentId, grant.userId, body.content.length)
      response.status(found === 'there' ? 200 : 201).json({ document: documentId, changed: isChanged })
    } catch (error) {
      if (mustBeEmpty && error instanceof WeftError && error.code === 'HEAD_MOVED') {
        throw new ApiError('exists', error.message)
      }
      throw error
    } finally {
      body.release()
    }
  }

  async function merge(request: Request, response: Response, document: DocumentId): Promise<void> {
    const documentId = readPart(document, readQuery(contentQueries.patch, request).part)
    const { part } = splitPart(documentId)
    const grant = await gate.admit(request, documentId, writerOf(part))
    if (isKept(part)) throw new ApiError('forbidden', 'a state that is kept is only read')
    refuseConditions(request)
    await creation.admit(request, response, grant, documentId)
    if (!request.is(types.yjs)) throw new ApiError('bad-type', `the Content-Type must be ${types.yjs}: a Yjs update`)
    const signal = goneSignal(response)
    const holder = await gate.holderOf(request)
    const limits = { maxBytes: MAX_UPDATE_BYTES, budget: bodies, holder: holder.id }
    const body: RequestBody = await readBody(request, limits)
    try {
      const { found, isChanged, isMissing, foreignClient } = await documents.merge(documentId, body.content, {
        userId: grant.userId,
        signal,
        holder,
      })
      if (found === 'deleted') throw absent(found)
      if (foreignClient !== null) throw new ApiError('forbidden', `client ${foreignClient} is another user’s`)
      if (isMissing) throw new ApiError('incomplete', 'the update names operations that the document lacks')
      if (found !== 'there') created(request, documentId, grant.userId, body.content.length)
      response.status(found === 'there' ? 200 : 201).json({ document: documentId, changed: isChanged })
    } finally {
      body.release()
    }
  }

  function created(request: Request, document: DocumentId, userId: string | null, bytes: number): void {
    audit.record({ ...actorOf(request, proxies, userId), action: 'created', document, bytes })
  }

  async function remove(request: Request, response: Response, documentId: DocumentId): Promise<void> {
    const { userId } = await gate.admit(request, documentId, 'owner')
    const { purge } = readQuery(contentQueries.delete, request)
    refuseConditions(request)
    const isForGood = purge === 'true' || !hasBin
    const found = await documents.delete(documentId, isForGood)
    if (found === 'missing' || (found === 'deleted' && purge !== 'true')) throw absent(found)
    const action = isForGood ? 'purged' : 'deleted'
    audit.record({ ...actorOf(request, proxies, userId), action, document: documentId })
    response.json({ document: documentId, deleted: true })
  }

  router.use(answerApiError(logger))
  return router
}

/** Aborted when the answer is over, or nobody waits for it any more. */
function goneSignal(response: Response): AbortSignal {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  return gone.signal
}

function refuseConditions({ headers }: Request, heeded: readonly string[] = []): void {
  const condition = CONDITIONS.find(name => headers[name] !== undefined && !heeded.includes(name))
  if (condition === undefined) return
  throw new ApiError('bad-request', `a change heeds no ${condition}: base says what it was made of`)
}

/** @throws {ApiError} `bad-type` */
function readContentType(request: Request): Exclude<ContentForm, 'yjs'> {
  const form = contentForms.find(candidate => candidate !== 'yjs' && request.is(types[candidate]))
  if (form === undefined || form === 'yjs') {
    throw new ApiError('bad-type', 'the Content-Type must be text/markdown, text/html or application/json')
  }
  const charset = /;\s*charset="?([^";\s]+)/iu.exec(request.headers['content-type'] ?? '')?.[1]
  if (charset === undefined || charset.toLowerCase() === 'utf-8') return form
  throw new ApiError('bad-type', 'the charset must be utf-8')
}

function readName(path: string): DocumentId {
  try {
    return documentIdFromPath(path)
  } catch (error) {
    if (error instanceof BadDocumentIdError) throw new ApiError('bad-name', error.message)
    throw error
  }
}

/** A document, or the part of it that the parameter `part` names. */
function readPart(documentId: DocumentId, part: string | undefined): DocumentId {
  try {
    return withPart(documentId, part ?? null)
  } catch (error) {
    if (error instanceof BadDocumentIdError) throw new ApiError('bad-request', error.message)
    throw error
  }
}

/** `?format=`, else `Accept`, else Markdown. */
function readForm(request: Request, format: ContentForm | undefined): ContentForm {
  if (format !== undefined) return format
  const type = request.accepts(contentForms.map(form => types[form]))
  const form = contentForms.find(candidate => types[candidate] === type)
  if (form !== undefined) return form
  throw new ApiError('not-acceptable', `there is ${Object.values(types).join(', ')}`)
}

function absent(presence: 'missing' | 'deleted'): ApiError {
  return presence === 'deleted'
    ? new ApiError('deleted', 'the document was deleted')
    : new ApiError('not-found', 'there is no such document')
}
