import { signal } from '@preact/signals'
import { BadDocumentIdError, parseDocumentId } from '@weft/protocol'
import { base } from './base.ts'

export type Route = { page: 'home' } | { page: 'link' } | { page: 'document'; documentId: string } | { page: 'unknown' }

/** The page that a path names. `/d/team/notes` is the document `team/notes`, `/weft/d/team/notes` too where the base is `/weft/`. */
export function parseRoute(pathname: string, at = base): Route {
  if (pathname === at || pathname === `${at}index.html`) return { page: 'home' }
  if (pathname === `${at}s`) return { page: 'link' }
  if (!pathname.startsWith(`${at}d/`)) return { page: 'unknown' }
  try {
    const documentId = decodeURIComponent(pathname.slice(`${at}d/`.length))
    return documentIdProblem(documentId) === null ? { page: 'document', documentId } : { page: 'unknown' }
  } catch {
    return { page: 'unknown' }
  }
}

/** The path of a document's page: `/d/team/notes`. */
export function documentPath(documentId: string, at = base): string {
  return `${at}d/${documentId.split('/').map(encodeURIComponent).join('/')}`
}

/** Where the server of a page is reached by WebSocket: `wss://example.org/weft/`. */
export function serverUrl(location: { protocol: string; host: string }, at = base): string {
  const protocol = location.protocol === 'https:' ? 'wss:' : 'ws:'
  return `${protocol}//${location.host}${at}`
}

/** Why a name can't be a document's, in words; `null` if it can. */
export function documentIdProblem(name: string): string | null {
  try {
    parseDocumentId(name)
    return null
  } catch (error) {
    if (!(error instanceof BadDocumentIdError)) throw error
    return `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}.`
  }
}

/** What a person typed or pasted as the name of a document: a link to it counts as its name. */
export function documentIdFrom(input: string, at = base): string {
  const text = input.trim().normalize('NFC')
  const path = /^[a-z]+:\/\/[^/]+(\/[^?#]*)/i.exec(text)?.[1]
  if (path === undefined) return text
  const route = parseRoute(path, at)
  return route.page === 'document' ? route.documentId : text
}

export const route = signal<Route>({ page: 'unknown' })

let hasNavigated = false

/** Whether the page that is shown is the one that was loaded: by a link from elsewhere, the address bar, a bookmark. */
export function isFirstPage(): boolean {
  return !hasNavigated
}

/** Goes to a page of this app without loading it anew. */
export function navigate(path: string): void {
  hasNavigated = true
  history.pushState(null, '', path)
  follow()
}

/** As `navigate`, in the place of the page that is shown: the back button doesn't lead there. */
export function replaceRoute(path: string): void {
  history.replaceState(null, '', path)
  follow()
}

function follow(): void {
  route.value = parseRoute(location.pathname)
}

/** Follows the address bar and the links of this app. Called once. */
export function startRoute(): void {
  // Named relatively, the page's icon would be looked for anew beside every address that the page takes.
  const icon = document.querySelector<HTMLLinkElement>('link[rel="icon"]')
  icon?.setAttribute('href', icon.href)
  follow()
  window.addEventListener('popstate', follow)
  document.addEventListener('click', event => {
    if (event.defaultPrevented || event.button !== 0) return
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    const link = event.target instanceof Element ? event.target.closest('a[data-route]') : null
    if (!(link instanceof HTMLAnchorElement)) return
    event.preventDefault()
    navigate(link.pathname)
  })
}
