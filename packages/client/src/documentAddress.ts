import { type DocumentId, documentIdFromPath, documentPath } from '@weft/protocol'

/** Where a document is, in the form that `y-websocket` wants it. */
export interface DocumentAddress {
  documentId: DocumentId
  /** `ws://host:port` */
  serverUrl: string
  /** The document's path, percent-encoded, without the first slash. */
  path: string
  params: Record<string, string>
}

/**
 * Reads `ws://host:9091/team/notes`: the whole path is the document's name. It is decoded and encoded anew, so that
 * `/a b` and `/a%20b` are one document.
 * @throws {TypeError} not an address. {BadDocumentIdError} its path names no document.
 */
export function documentAddress(url: string | URL, token?: string): DocumentAddress {
  const text = String(url)
  // Not the URL class alone: it resolves `..` and turns `\` into `/` without a word, and another document would open.
  const [, scheme, host, rawPath, query] = /^(wss?|https?):\/\/([^/?#\\@]+)(\/[^?#]*)(\?[^#]*)?$/i.exec(text) ?? []
  if (scheme === undefined || host === undefined || rawPath === undefined) {
    const hint = text.includes('#') ? ' (write # as %23)' : ''
    throw new TypeError(`not the address of a document, like ws://127.0.0.1:9091/team/notes: ${text}${hint}`)
  }
  const isSecure = /^(wss|https)$/i.test(scheme)
  const server = new URL(`${isSecure ? 'wss' : 'ws'}://${host}`)
  const documentId = documentIdFromPath(rawPath)
  const params = Object.fromEntries(new URLSearchParams(query))
  if (token !== undefined) params.token = token
  return { documentId, serverUrl: `${server.protocol}//${server.host}`, path: documentPath(documentId), params }
}
