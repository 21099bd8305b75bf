import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, type BrowserContextOptions, chromium, firefox } from 'playwright-core'
import { afterAll, afterEach, expect, onTestFinished } from 'vitest'
import { EditorWindow } from './EditorWindow.ts'

/** The browsers that the editor is tested in. */
export const browserNames = ['chromium', 'firefox'] as const
export type BrowserName = (typeof browserNames)[number]

export const chromiumPath = process.env.CHROMIUM_PATH || '/usr/bin/chromium'

// No sandbox: in containers and as root there is none. The others keep it from calling home.
export const chromiumArgs = [
  '--no-sandbox',
  // The host of the tests behind a proxy.
  '--host-resolver-rules=MAP example.org 127.0.0.1',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

const launch: Record<BrowserName, () => Promise<Browser>> = {
  chromium: () => chromium.launch({ executablePath: chromiumPath, args: chromiumArgs }),
  firefox: () =>
    firefox.launch({
      // The installed Firefox, over WebDriver BiDi; Playwright's own is a patched one.
      channel: 'moz-firefox',
      executablePath: fileURLToPath(new URL('firefox.mjs', import.meta.url)),
      // With the profile that Playwright makes, all that still calls home is Firefox's settings service.
      firefoxUserPrefs: { 'services.settings.server': 'data:,' },
      env: {
        ...process.env,
        FIREFOX_PATH: process.env.FIREFOX_PATH || '/usr/bin/firefox-esr',
        // Lets the setting above count outside of a developer's build.
        MOZ_REMOTE_SETTINGS_DEVTOOLS: '1',
      },
    }),
}

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
 * A real browser for the tests of one file, or of one `describe`; called at its top. After every test, no page may have
 * complained: no error or warning on the console, no exception, nothing that the content security policy forbids.
 */
export function browserWindows(name: BrowserName = 'chromium'): Windows {
  /** Firefox gives the keyboard to one of its windows at a time: windows that are open together are of different ones. */
  const processes: Promise<Browser>[] = []
  let open: EditorWindow[] = []
  let openedCount = 0

  afterAll(async () => {
    for (const process of processes) await (await process).close()
  })
  afterEach(() => {
    const complaints = open.flatMap(window => window.complaints)
    open = []
    openedCount = 0
    expect(complaints).toEqual([])
  })

  return {
    async open(origin, { expectsNetworkFailures = false, ...options } = {}) {
      const index = name === 'firefox' ? openedCount++ : 0
      processes[index] ??= launch[name]()
      const browser = await processes[index]
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
