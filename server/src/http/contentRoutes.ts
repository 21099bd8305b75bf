import { documentParts } from '@weft/protocol'
import { z } from 'zod'
import { type ContentForm, contentForms } from '../ContentError.ts'
import { type ApiRoute, defineRoute } from './ApiRoute.ts'
import { limit, orNull, time } from './apiSchemas.ts'

export const contentTypes: Readonly<Record<ContentForm, string>> = {
  markdown: 'text/markdown',
  html: 'text/html',
  json: 'application/json',
  yjs: 'application/octet-stream',
}

const part = z
  .string()
  .optional()
  .meta({ description: 'a part of the document instead', examples: [...documentParts] })
const onlyTrue = z.literal('true').optional()

/** What the queries of documents may say. */
export const contentQueries = {
  list: z.strictObject({
    prefix: z.string().default('').meta({ description: 'names that begin so' }),
    after: z.string().optional().meta({ description: 'where to go on: `next` of the answer before' }),
    limit: limit(100, 1000),
  }),
  get: z.strictObject({
    format: z.enum(contentForms).optional().meta({ description: 'else as `Accept` says, or Markdown' }),
    part,
    damaged: onlyTrue.meta({ description: 'what is left of a damaged document' }),
  }),
  patch: z.strictObject({ part }),
  put: z.strictObject({
    base: z
      .string()
      .regex(/^\d{1,15}$/u, 'no Weft-Version')
      .transform(Number)
      .optional()
      .meta({ description: 'the `Weft-Version` that the content was made of' }),
    anew: onlyTrue.meta({ description: 'begins a deleted document again, empty; an owner' }),
  }),
  delete: z.strictObject({
    purge: onlyTrue.meta({ description: 'for good, and what is in the bin, too' }),
  }),
}

const listed = z
  .strictObject({
    documents: z.array(z.strictObject({ name: z.string(), createdAt: time })),
    next: orNull(z.string()).meta({ description: 'where to go on (`after`); null: that was all' }),
  })
  .meta({ id: 'DocumentList' })

const changed = z
  .strictObject({
    document: z.string(),
    changed: z.boolean().meta({ description: 'false: it was so already' }),
  })
  .meta({ id: 'ChangedDocument' })

const name = z.strictObject({ document: z.string().meta({ description: 'its name, slashes as they are' }) })
const version = { 'Weft-Version': 'the place in the document’s log' }
const changeErrors = [
  'bad-name',
  'cross-site',
  'deleted',
  'bad-type',
  'too-large',
  'bad-content',
  'too-complex',
  'busy',
  'damaged',
] as const
const { markdown, html, json, yjs } = contentTypes

/** Routes that `documentsApi`, `uploadsApi`, `sessionApi` and `backupApi` answer: content, and what is older than the rest. */
export const contentRoutes: readonly ApiRoute[] = [
  defineRoute({
    method: 'get',
    path: '/documents',
    id: 'listDocuments',
    tag: 'documents',
    summary: 'List documents',
    description: 'Those that the token may read, by the bytes of their names.',
    query: contentQueries.list,
    answers: { 200: { description: 'a part of the list', schema: listed } },
    handle: null,
  }),
  defineRoute({
    method: 'get',
    path: '/documents/{document}',
    id: 'readDocument',
    tag: 'documents',
    summary: 'Read a document',
    description: 'A viewer. What is given out is on disk.',
    params: name,
    query: contentQueries.get,
    answers: {
      200: {
        description: 'its content',
        types: [markdown, html, json, yjs],
        headers: {
          ...version,
          ETag: 'for `If-None-Match`',
          'Weft-Left-Out': 'how many things in it have no form here',
        },
      },
      304: { description: 'it is as it was' },
    },
    errors: ['bad-name', 'not-found', 'deleted', 'not-acceptable', 'not-text', 'too-complex', 'busy', 'damaged'],
    handle: null,
  }),
  defineRoute({
    method: 'put',
    path: '/documents/{document}',
    id: 'writeDocument',
    tag: 'documents',
    summary: 'Make a document say what the body says',
    description:
      'An editor. One edit, the smallest that does it. With `If-None-Match: *` only where nobody has written it yet: of several who fill a document at the same time, one does.',
    params: name,
    query: contentQueries.put,
    bodyTypes: [markdown, html, json],
    answers: {
      200: { description: 'it is on disk', schema: changed },
      201: { description: 'it is new, and on disk', schema: changed },
    },
    errors: [...changeErrors, 'too-fast', 'not-text', 'unknown-content', 'stale', 'exists'],
    handle: null,
  }),
  defineRoute({
    method: 'patch',
    path: '/documents/{document}',
    id: 'mergeUpdate',
    tag: 'documents',
    summary: 'Merge a Yjs update',
    description: 'An editor; of comments, a commenter.',
    params: name,
    query: contentQueries.patch,
    bodyTypes: [yjs],
    answers: {
      200: { description: 'it is on disk', schema: changed },
      201: { description: 'the document is new, and on disk', schema: changed },
    },
    errors: [...changeErrors, 'too-fast', 'incomplete'],
    handle: null,
  }),
  defineRoute({
    method: 'delete',
    path: '/documents/{document}',
    id: 'deleteDocument',
    tag: 'documents',
    summary: 'Delete a document',
    description: 'An owner. It is in the bin for `WEFT_BIN_DAYS`. Sessions end with 4404.',
    params: name,
    query: contentQueries.delete,
    answers: {
      200: { description: 'it is gone', schema: z.strictObject({ document: z.string(), deleted: z.literal(true) }) },
    },
    errors: ['bad-name', 'cross-site', 'not-found', 'deleted', 'damaged', 'busy'],
    handle: null,
  }),
  defineRoute({
    method: 'post',
    path: '/documents/{document}/uploads',
    id: 'upload',
    tag: 'documents',
    summary: 'Put a file into a document',
    description: 'An editor. Its type is what its bytes say.',
    params: name,
    bodyTypes: ['*/*'],
    answers: Object.fromEntries(
      [200, 201].map(status => [
        status,
        {
          description: status === 200 ? 'the document had it already' : 'it is stored',
          schema: z.looseObject({ path: z.string(), type: z.string(), isImage: z.boolean(), bytes: z.int() }),
        },
      ]),
    ),
    errors: ['bad-name', 'cross-site', 'deleted', 'bad-type', 'too-large', 'too-fast', 'busy'],
    handle: null,
  }),
  defineRoute({
    method: 'get',
    path: '/documents/{document}/uploads/{file}',
    id: 'readUpload',
    tag: 'documents',
    summary: 'Read a file of a document',
    description: 'A viewer. What is no image that every browser knows is a download.',
    params: name.extend({ file: z.string() }),
    query: z.strictObject({ name: z.string().optional().meta({ description: 'what a download is called' }) }),
    answers: { 200: { description: 'the file', types: ['*/*'] }, 304: { description: 'it is as it was' } },
    errors: ['bad-name', 'not-found', 'deleted', 'busy'],
    handle: null,
  }),
  defineRoute({
    method: 'get',
    path: '/backup',
    id: 'backUp',
    tag: 'store',
    summary: 'All documents and their files, as they are at one moment',
    description: 'An owner of every document. PROTOCOL.md has the form.',
    answers: { 200: { description: 'a backup', types: ['application/octet-stream'] } },
    errors: ['busy'],
    handle: null,
  }),
  ...sessionRoutes(),
]

/** A browser's own session: its token in a cookie. */
function sessionRoutes(): ApiRoute[] {
  const session = z
    .strictObject({
      user: z.strictObject({ id: z.string(), name: orNull(z.string()) }),
      expiresAt: time,
    })
    .meta({ id: 'BrowserSession' })
  return [
    defineRoute({
      method: 'get',
      path: '/session',
      id: 'tellSession',
      tag: 'access',
      summary: 'Whose token the request brings',
      description: 'Whoever has one.',
      answers: { 200: { description: 'whose, until when', schema: session } },
      handle: null,
    }),
    defineRoute({
      method: 'post',
      path: '/session',
      id: 'beginSession',
      tag: 'access',
      summary: 'Put a token into a cookie that no script can read',
      description: 'Whoever has one, from a page of the server’s own host.',
      body: z.strictObject({ token: z.string() }),
      answers: { 200: { description: 'whose, until when', schema: session } },
      errors: ['cross-site', 'bad-type', 'too-large', 'busy'],
      handle: null,
    }),
    defineRoute({
      method: 'delete',
      path: '/session',
      id: 'endBrowserSession',
      tag: 'access',
      summary: 'Have the browser forget the cookie',
      description: 'Anybody.',
      answers: { 204: { description: 'it is forgotten' } },
      errors: ['cross-site'],
      handle: null,
    }),
  ]
}
