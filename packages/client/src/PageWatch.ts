export interface PageHost {
  /** The browser has lost the network, or found it. */
  moved(): void
  /** Somebody looks at the page again. */
  shown(): void
}

/** What a page tells its documents. Where there is no page (Node), nothing. */
export class PageWatch {
  readonly #host: PageHost
  #isAsking = false

  constructor(host: PageHost) {
    this.#host = host
    if (typeof document === 'undefined') return
    window.addEventListener('online', this.#moved)
    window.addEventListener('offline', this.#moved)
    document.addEventListener('visibilitychange', this.#visibilityChanged)
  }

  /** Whether the browser is to ask the person before the page is left. */
  setAsking(isAsking: boolean): void {
    if (isAsking === this.#isAsking) return
    this.#isAsking = isAsking
    if (typeof document === 'undefined') return
    // Not always: a page that listens is not kept for "back" by every browser.
    if (isAsking) window.addEventListener('beforeunload', this.#ask)
    else window.removeEventListener('beforeunload', this.#ask)
  }

  end(): void {
    this.setAsking(false)
    if (typeof document === 'undefined') return
    window.removeEventListener('online', this.#moved)
    window.removeEventListener('offline', this.#moved)
    document.removeEventListener('visibilitychange', this.#visibilityChanged)
  }

  // Each document's own: of one that all share, the page would have only one, and the first who is saved would take it away.
  readonly #ask = (event: BeforeUnloadEvent): void => event.preventDefault()

  readonly #moved = (): void => this.#host.moved()

  readonly #visibilityChanged = (): void => {
    if (document.visibilityState === 'visible') this.#host.shown()
  }
}
