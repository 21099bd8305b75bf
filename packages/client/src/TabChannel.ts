import * as Y from 'yjs'

/** What tabs say to each other. */
type TabMessage =
  /** "This is what I have": who hears it says what is missing. `isAnswer`: and need not ask back. */
  | { readonly type: 'ask'; readonly stateVector: Uint8Array; readonly isAnswer: boolean }
  | { readonly type: 'edit'; readonly update: Uint8Array }

/**
 * Edits between the tabs of a browser that have the same document, at once and without a network.
 *
 * [T1] What comes from another tab is an edit like any other: this replica brings it to the server too, and calls it unsaved
 *      until the server has it. The other tab may be closed before it could.
 * [T2] Only edits that were made on this side are told, not what the server says: that it tells all tabs itself.
 */
export class TabChannel {
  readonly #channel: BroadcastChannel
  readonly #ydoc: Y.Doc
  readonly #isTrusted: () => boolean

  /**
   * @param name the same for all tabs with this document
   * @param isTrusted whether this replica may give and take: who may only read takes no others' edits to the server
   */
  constructor(name: string, ydoc: Y.Doc, isTrusted: () => boolean) {
    this.#ydoc = ydoc
    this.#isTrusted = isTrusted
    this.#channel = new BroadcastChannel(name)
    // Node's keeps its process alive.
    if ('unref' in this.#channel) (this.#channel as { unref(): void }).unref()
    this.#channel.onmessage = (event: MessageEvent) => this.#received(event.data as TabMessage)
    this.#ask(false)
  }

  /** This side has edited. */
  send(update: Uint8Array): void {
    if (this.#isTrusted()) this.#post({ type: 'edit', update })
  }

  close(): void {
    this.#channel.onmessage = null
    this.#channel.close()
  }

  #ask(isAnswer: boolean): void {
    this.#post({ type: 'ask', stateVector: Y.encodeStateVector(this.#ydoc), isAnswer })
  }

  #received(message: TabMessage): void {
    if (!this.#isTrusted()) return
    try {
      if (message.type === 'edit') Y.applyUpdate(this.#ydoc, message.update, this)
      else if (message.type === 'ask') {
        const update = Y.encodeStateAsUpdate(this.#ydoc, message.stateVector)
        // Two bytes are an empty one.
        if (update.length > 2) this.#post({ type: 'edit', update })
        if (!message.isAnswer) this.#ask(true)
      }
    } catch (error) {
      // From a page of another version, maybe: it harms nobody.
      console.error('What another tab said could not be read', error)
    }
  }

  #post(message: TabMessage): void {
    this.#channel.postMessage(message)
  }
}
