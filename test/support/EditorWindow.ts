import type { BrowserContext, ConsoleMessage, Locator, Page } from 'playwright-core'
import type { SaveState } from '../../web/src/document/saveState.ts'
import { eventually, PATIENCE_MS } from './eventually.ts'

/** What a test asks of the TipTap editor, which hangs on its element. */
export interface PageEditor {
  getJSON(): unknown
  extensionManager: { extensions: { name: string; options: { fragment?: PageFragment } }[] }
  view: {
    coordsAtPos(position: number): { left: number; top: number; bottom: number }
    domAtPos(position: number): { node: Node }
    posAtDOM(node: Node, offset: number): number
    hasFocus(): boolean
    dom: HTMLElement
  }
  state: { doc: PageNode; selection: { from: number; to: number; head: number; empty: boolean } }
}

interface PageNode {
  isTextblock: boolean
  textContent: string
  content: { size: number }
  textBetween(from: number, to: number): string
  resolve(position: number): { parentOffset: number; parent: PageNode }
  descendants(visit: (node: PageNode, position: number) => boolean): void
}

interface PageFragment {
  toString(): string
  doc: { clientID: number }
}

/** What one replica holds: as ProseMirror sees it, and as Yjs does. */
export interface Held {
  json: unknown
  xml: string
}

/** What browsers themselves say on the console when a server can't be reached. */
const networkFailures = [
  // Chromium
  /^WebSocket connection to .* failed/,
  /^Failed to load resource: net::ERR_/,
  /^Failed to load resource: the server responded with a status of 4\d\d /,
  // Firefox
  /^Firefox can’t establish a connection to the server at ws/,
  /^downloadable font: download failed/,
]

/** What is remarked on the console, and nothing is wrong for it. */
const remarks = [
  // Firefox, of a page that is left while it has a socket.
  /^The connection to ws.* was interrupted while the page was loading/,
  // y-tiptap 3.0.9, the other two.
  // Its first selection is at 1, which isn't in a text where a document begins with a list, a table or a quote.
  /^TextSelection endpoint not pointing into a node with inline content/,
  // Somebody else's awareness holds what isn't a colour; it is drawn in another one.
  /^A user uses an unsupported color format/,
]

/** One person's browser window, with real input. */
export class EditorWindow {
  readonly page: Page
  readonly context: BrowserContext
  readonly origin: string
  /** Errors and warnings of the pages, and what their content security policy stopped. */
  readonly complaints: string[] = []

  private constructor(context: BrowserContext, page: Page, origin: string) {
    this.context = context
    this.page = page
    this.origin = origin
  }

  /** Another window of the same person, with the same storage; it has the keyboard. */
  async another(): Promise<EditorWindow> {
    return new EditorWindow(this.context, await this.context.newPage(), this.origin)
  }

  static async open(context: BrowserContext, origin: string, expectsNetworkFailures: boolean): Promise<EditorWindow> {
    context.setDefaultTimeout(PATIENCE_MS)
    const page = await context.newPage()
    const window = new EditorWindow(context, page, origin)
    const complain = (complaint: string) => {
      if (remarks.some(remark => remark.test(complaint))) return
      if (expectsNetworkFailures && networkFailures.some(failure => failure.test(complaint))) return
      window.complaints.push(complaint)
    }
    const listen = (opened: Page) => {
      opened.on('console', (message: ConsoleMessage) => {
        if (message.type() === 'error' || message.type() === 'warning') complain(message.text())
      })
      opened.on('pageerror', error => complain(String(error.stack ?? error)))
    }
    listen(page)
    context.on('page', listen)
    await context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', event => {
        console.error(`forbidden by ${event.effectiveDirective}: ${event.blockedURI} ${event.sourceFile}`)
      })
    })
    return window
  }

  /** The text, once there is one. */
  get text(): Locator {
    return this.page.getByTestId('editor')
  }

  get title(): Locator {
    return this.page.getByTestId('title')
  }

  get keyboard(): Page['keyboard'] {
    return this.page.keyboard
  }

  /** Loads a document's page and waits for its content. */
  async goTo(documentId: string): Promise<void> {
    await this.page.goto(`${this.origin}/d/${documentId}`)
    await this.text.waitFor()
  }

  /** Waits until the state line says this. */
  async shows(state: SaveState): Promise<void> {
    await this.page.locator(`[data-testid="save-state"][data-state="${state}"]`).waitFor()
  }

  /** What the state line says. */
  async saveState(): Promise<SaveState> {
    const state = await this.page.getByTestId('save-state').getAttribute('data-state')
    return (state ?? 'none') as SaveState
  }

  /** From now on, everything that the state line says is kept. @returns reads what it said */
  async watchSaveState(): Promise<() => Promise<SaveState[]>> {
    await this.page.evaluate(() => {
      const line = document.querySelector<HTMLElement>('[data-testid="save-state"]')
      if (line === null) throw new Error('no state line')
      const said = [line.dataset.state]
      Object.assign(globalThis, { said })
      new MutationObserver(() => said.push(line.dataset.state)).observe(line, { attributeFilter: ['data-state'] })
    })
    return () => this.page.evaluate(() => (globalThis as unknown as { said: SaveState[] }).said)
  }

  /** Sets the caret into the text with the mouse, and types. */
  async type(text: string): Promise<void> {
    await this.text.click()
    await this.keyboard.type(text)
  }

  /** The text of each block, from the top; none where there is no text yet. */
  async lines(): Promise<string[]> {
    return this.page.evaluate(() => {
      const text = document.querySelector('[data-testid="editor"]') as { editor?: PageEditor } | null
      const editor = text?.editor
      if (editor === undefined) return []
      const lines: string[] = []
      editor.state.doc.descendants(node => {
        if (node.isTextblock) lines.push(node.textContent)
        return !node.isTextblock
      })
      return lines
    })
  }

  /** Waits until this text is selected, also for the editor: the browser tells it a moment later. */
  async selects(text: string): Promise<void> {
    await eventually(`${JSON.stringify(text)} to be selected`, () =>
      this.page.evaluate(wanted => {
        const { editor } = document.querySelector('[data-testid="editor"]') as unknown as { editor: PageEditor }
        const { from, to } = editor.state.selection
        return editor.state.doc.textBetween(from, to) === wanted
      }, text),
    )
  }

  /**
   * Presses keys that lead the caret to a place from anywhere, and waits until it stands between these two parts of a
   * block, also for the editor. Again, if need be: an editor that draws somebody's caret at that moment sets the browser's
   * own back to where it last heard of it.
   */
  async moveBetween(before: string, after: string, keys: readonly string[]): Promise<void> {
    await eventually(`the caret to stand as in ${before}|${after}`, async () => {
      for (const key of keys) await this.keyboard.press(key)
      return this.page.evaluate(wanted => {
        const { editor } = document.querySelector('[data-testid="editor"]') as unknown as { editor: PageEditor }
        const { selection, doc } = editor.state
        const { parent, parentOffset } = doc.resolve(selection.head)
        const text = parent.textContent
        return selection.empty && `${text.slice(0, parentOffset)}|${text.slice(parentOffset)}` === wanted
      }, `${before}|${after}`)
    })
  }

  /** Gives the keyboard to this window, where another one of the same browser has it. */
  async toFront(): Promise<void> {
    await this.page.bringToFront()
    await eventually('the window to have the keyboard', () => this.page.evaluate(() => document.hasFocus()))
  }

  /** Both forms of the document in this window; in reading mode there is no bound one. */
  async held(): Promise<Held> {
    return this.page.evaluate(() => {
      const { editor } = document.querySelector('[data-testid="editor"]') as unknown as { editor: PageEditor }
      const collaboration = editor.extensionManager.extensions.find(({ name }) => name === 'collaboration')
      return { json: editor.getJSON(), xml: collaboration?.options.fragment?.toString() ?? '' }
    })
  }

  /** The id under which Yjs knows what is written in this page, until it is loaded anew. */
  async clientID(): Promise<number> {
    return this.page.evaluate(() => {
      const { editor } = document.querySelector('[data-testid="editor"]') as unknown as { editor: PageEditor }
      const collaboration = editor.extensionManager.extensions.find(({ name }) => name === 'collaboration')
      return collaboration?.options.fragment?.doc.clientID ?? 0
    })
  }

  /** Whether the page is wider than the window. */
  async scrollsSideways(): Promise<boolean> {
    return this.page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth)
  }
}
