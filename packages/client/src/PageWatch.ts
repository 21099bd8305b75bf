export interface PageHost {
  /** The browser has lost the network, or found it. */
  moved(): void
  /** Somebody looks at the page again. */
  shown(): void
}

/** What a page tells its documents. Where there is no page (Node), nothing. */
export class PageWatch {
  readonly #listening = new AbortController()

  constructor(host: PageHost) {
    if (typeof document === 'undefined') return
    const { signal } = this.#listening
    for (const event of ['online', 'offline']) window.addEventListener(event, () => host.moved(), { signal })
    const changed = () => {
      if (document.visibilityState === 'visible') host.shown()
    }
    document.addEventListener('visibilitychange', changed, { signal })
  }

  /** Whether the browser is to ask the person before the page is left. */
  setAsking(isAsking: boolean): void {
    if (typeof document === 'undefined') return
    // Not always: a page that listens is not kept for "back" by every browser.
    if (isAsking) window.addEventListener('beforeunload', this.#ask)
    else window.removeEventListener('beforeunload', this.#ask)
  }

  end(): void {
    this.setAsking(false)
    this.#listening.abort()
  }

  // Each document's own: of one that all share, the page would have only one, and the first who is saved would take it away.
  readonly #ask = (event: BeforeUnloadEvent): void => event.preventDefault()
}
