import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContextOptions, chromium } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, onTestFinished } from 'vitest'
import { EditorWindow } from './EditorWindow.ts'

const executablePath = process.env.CHROMIUM_PATH || '/usr/bin/chromium'

// No sandbox: in containers and as root there is none. The others keep it from calling home.
const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // The host of the tests behind a proxy.
  '--host-resolver-rules=MAP example.org 127.0.0.1',
]

export interface WindowOptions extends BrowserContextOptions {
  /** The network fails in this test: what the browser itself says about that is not a complaint. */
  readonly expectsNetworkFailures?: boolean
}

export interface Windows {
  /**
   * A window of a person of their own: nothing is shared with other windows, neither storage nor cookies. Closed after
   * the test; a failed test leaves a picture of it in the system's folder for temporary files.
   * @param origin where the pages are: `http://127.0.0.1:port`, of a server or of a proxy before it
   */
  open(origin: string, options?: WindowOptions): Promise<EditorWindow>
}

/**
 * Real Chromium for the tests of one file; called at its top. After every test, no page may have complained: no error or
 * warning on the console, no exception, nothing that the content security policy forbids.
 */
export function browserWindows(): Windows {
  let browser: Browser
  let open: EditorWindow[] = []

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath, args })
  })
  afterAll(() => browser?.close())
  afterEach(() => {
    const complaints = open.flatMap(window => window.complaints)
    open = []
    expect(complaints).toEqual([])
  })

  return {
    async open(origin, { expectsNetworkFailures = false, ...options } = {}) {
      const context = await browser.newContext({ viewport: { width: 1100, height: 800 }, ...options })
      const window = await EditorWindow.open(context, origin, expectsNetworkFailures)
      open.push(window)
      onTestFinished(async ({ task }) => {
        if (task.result?.state === 'fail') {
          const file = join(await mkdtemp(join(tmpdir(), 'weft-window-')), 'window.png')
          await window.page.screenshot({ path: file }).then(
            () => process.stderr.write(`${task.name}: ${window.page.url()} is pictured in ${file}\n`),
            () => {},
          )
        }
        await context.close()
      })
      return window
    },
  }
}
