import { ResourceTemplate } from '@modelcontextprotocol/server'
import { type DocumentId, documentIdFromPath, documentPath } from '@weft/protocol'
import { DocumentWatches } from './DocumentWatches.ts'
import { OTHERS_WORDS, type Toolbox } from './tools.ts'

const PREFIX = 'weft://documents/'
const MIME_TYPE = 'text/markdown'
/** Documents in one page of the list. */
const PAGE_SIZE = 500

/** A document's address among an agent's resources. */
export function uriOf(documentId: DocumentId): string {
  return PREFIX + documentPath(documentId)
}

/** @throws {BadDocumentIdError} {RangeError} it is no document's */
export function documentOfUri(uri: string): DocumentId {
  if (!uri.startsWith(PREFIX)) throw new RangeError(`${uri.slice(0, 200)} is no document: those begin with ${PREFIX}`)
  return documentIdFromPath(uri.slice(PREFIX.length))
}

/** Documents as resources: what a person attaches to a conversation. */
export function registerResources({ server, agent }: Toolbox): void {
  server.registerResource(
    'document',
    new ResourceTemplate(`${PREFIX}{+name}`, { list: undefined }),
    { title: 'Document', description: `A document as Markdown. ${OTHERS_WORDS}`, mimeType: MIME_TYPE },
    uri =>
      agent.calls.track(async () => {
        const { bytes } = await agent.api.read(documentOfUri(uri.href), 'markdown')
        return { contents: [{ uri: uri.href, mimeType: MIME_TYPE, text: Buffer.from(bytes).toString() }] }
      }),
  )
  // In place of the SDK's, which knows no pages.
  server.server.setRequestHandler('resources/list', ({ params }) =>
    agent.calls.track(async () => {
      const { documents, next } = await agent.api.listPage('', PAGE_SIZE, params?.cursor ?? null)
      const resources = documents.map(({ name }) => ({ uri: uriOf(name), name, mimeType: MIME_TYPE }))
      return { resources, ...(next !== null && { nextCursor: next }) }
    }),
  )
}

/** Tells of changes of documents whoever subscribes to them, in the protocol's revisions before 2026. */
export function registerSubscriptions({ server, agent, note }: Toolbox): void {
  const { server: protocol } = server
  /** As they were asked for. */
  const uris = new Map<DocumentId, string>()
  const watches = new DocumentWatches(agent.sessions, documentId => {
    const uri = uris.get(documentId) ?? uriOf(documentId)
    protocol.sendResourceUpdated({ uri }).catch(error => note(`weft: ${error}`))
  })
  protocol.registerCapabilities({ resources: { subscribe: true } })
  protocol.setRequestHandler('resources/subscribe', ({ params: { uri } }) =>
    agent.calls.track(async () => {
      const documentId = documentOfUri(uri)
      await watches.add(documentId)
      uris.set(documentId, uri)
      return {}
    }),
  )
  protocol.setRequestHandler('resources/unsubscribe', async ({ params: { uri } }) => {
    watches.remove(documentOfUri(uri))
    return {}
  })
  protocol.onclose = () => watches.close()
}
