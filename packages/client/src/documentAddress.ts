import {
  type DocumentId,
  type DocumentPart,
  documentIdFromPath,
  documentPath,
  parseDocumentId,
  withPart,
} from '@weft/protocol'

/** Where a document is, in the form that `y-websocket` wants it. */
export interface DocumentAddress {
  /** Of a part of a document, its own. */
  documentId: DocumentId
  /** `ws://host:port`, and the path of the server where it isn't the root. */
  serverUrl: string
  /** The document's path, percent-encoded, without the first slash. */
  path: string
  /** Of the URL's query; `part` names the part of a document. */
  params: Record<string, string>
}

/**
 * Reads `ws://host:9091/team/notes`: the whole path is the document's name. It is decoded and encoded anew, so that
 * `/a b` and `/a%20b` are one document.
 * @param name the document's, not encoded; the whole path is the server's then: `wss://host/weft`
 * @param part of the document; none: the document itself
 * @throws {TypeError} not an address. {BadDocumentIdError} its path names no document.
 */
export function documentAddress(url: string | URL, name?: string, part?: DocumentPart): DocumentAddress {
  const text = String(url)
  // Not the URL class alone: it resolves `..` and turns `\` into `/` without a word, and another document would open.
  const [, scheme, host, rawPath, query] = /^(wss?|https?):\/\/([^/?#\\@]+)(\/[^?#]*)?(\?[^#]*)?$/i.exec(text) ?? []
  if (scheme === undefined || host === undefined || (rawPath ?? name) === undefined) {
    const hint = text.includes('#') ? ' (write # as %23)' : ''
    throw new TypeError(`not the address of a document, like ws://127.0.0.1:9091/team/notes: ${text}${hint}`)
  }
  const isSecure = /^(wss|https)$/i.test(scheme)
  const documentId = name === undefined ? documentIdFromPath(rawPath ?? '') : parseDocumentId(name)
  const server = new URL(`${isSecure ? 'wss' : 'ws'}://${host}${name === undefined ? '' : (rawPath ?? '')}`)
  const serverPath = server.pathname.replace(/\/+$/, '')
  const params = Object.fromEntries(new URLSearchParams(query))
  const serverUrl = `${server.protocol}//${server.host}${serverPath}`
  const named = part ?? params.part
  return {
    documentId: withPart(documentId, named ?? null),
    serverUrl,
    path: documentPath(documentId),
    params: { ...params, ...(named !== undefined && { part: named }) },
  }
}
