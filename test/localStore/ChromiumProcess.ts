import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { type Browser, type BrowserContext, type CDPSession, chromium, type Page } from 'playwright-core'
import { chromiumArgs, chromiumPath } from '../support/browserWindows.ts'
import { bundlePage } from '../support/bundlePage.ts'
import { makeTemporaryFolder, removeFolder } from '../support/temporaryFolder.ts'
import { type Answer, type Program, type ProgramCalls, unwrapped } from './Program.ts'

const page = `
  import { indexedDbStore } from '@weft/client/indexeddb'
  import { IndexeddbPersistence } from 'y-indexeddb'
  import * as Y from 'yjs'
  import { answer, createProgram } from ${JSON.stringify(fileURLToPath(new URL('program.mjs', import.meta.url)))}
  const program = createProgram(indexedDbStore)
  window.answer = (name, args) => answer(program, name, args)
  Object.assign(window, { IndexeddbPersistence, Y })
`

/** A site whose page is `program.mjs`, and a Chromium with a profile on disk that looks at it and can be killed as a whole. */
export class ChromiumProcess {
  readonly #site: Server
  readonly #profile: string
  #child: ChildProcess | undefined
  #browser: Browser | undefined

  private constructor(site: Server, profile: string) {
    this.#site = site
    this.#profile = profile
  }

  static async start(): Promise<ChromiumProcess> {
    const code = await bundlePage(page, fileURLToPath(new URL('../..', import.meta.url)))
    const site = createServer((request, response) => {
      const isScript = request.url === '/page.js'
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
      response.end(isScript ? code : '<!doctype html><script type="module" src="/page.js"></script>')
    })
    site.listen(0, '127.0.0.1')
    await once(site, 'listening')
    const started = new ChromiumProcess(site, await makeTemporaryFolder())
    await started.#launch()
    return started
  }

  /** The page's address on a host of its own: each has its own databases. */
  origin(host: string): string {
    return `http://${host}.localhost:${(this.#site.address() as AddressInfo).port}`
  }

  /** A new tab; starts the browser again where it was killed. */
  async tab(origin: string): Promise<TabProgram> {
    if (this.#browser === undefined) await this.#launch()
    const context = this.#browser?.contexts()[0] as BrowserContext
    const tab = await context.newPage()
    await tab.goto(origin)
    await tab.waitForFunction('window.answer !== undefined')
    return new TabProgram(tab)
  }

  /** SIGKILL for the browser and all of its processes. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child?.pid === undefined) return
    const exit = once(child, 'exit')
    // A group of its own: the processes of its tabs, too.
    process.kill(-child.pid, 'SIGKILL')
    await exit
    await this.#browser?.close()
    this.#child = undefined
    this.#browser = undefined
  }

  async stop(): Promise<void> {
    await this.kill()
    this.#site.closeAllConnections()
    this.#site.close()
    await removeFolder(this.#profile)
  }

  async #launch(): Promise<void> {
    const child = spawn(
      chromiumPath,
      [...chromiumArgs, '--headless', '--remote-debugging-port=0', `--user-data-dir=${this.#profile}`, 'about:blank'],
      { stdio: ['ignore', 'ignore', 'pipe'], detached: true },
    )
    this.#child = child
    let said = ''
    const address = await new Promise<string>((resolve, reject) => {
      child.stderr.setEncoding('utf8')
      child.stderr.on('data', (text: string) => {
        said += text
        const found = /DevTools listening on (ws:\S+)/.exec(said)?.[1]
        if (found !== undefined) resolve(found)
      })
      child.once('error', reject)
      child.once('exit', code => reject(new Error(`Chromium ended (${code}): ${said}`)))
    })
    this.#browser = await chromium.connectOverCDP(address)
  }
}

/** `program.mjs` in a tab, on IndexedDB. */
export class TabProgram implements Program {
  readonly page: Page
  #session: CDPSession | undefined
  #isOver = false
  readonly #crashed: Promise<never>

  constructor(page: Page) {
    this.page = page
    this.#crashed = new Promise((_, reject) => {
      const end = () => {
        this.#isOver = true
        reject(new Error('killed'))
      }
      page.once('crash', end)
      page.once('close', end)
    })
    this.#crashed.catch(() => {})
  }

  async call<Name extends keyof ProgramCalls>(
    name: Name,
    ...args: Parameters<ProgramCalls[Name]>
  ): Promise<ReturnType<ProgramCalls[Name]>> {
    const answer = this.page.evaluate(
      ([name, args]) =>
        (window as unknown as { answer(name: string, args: unknown[]): Promise<Answer> }).answer(name, args),
      [name, args] as [string, unknown[]],
    )
    answer.catch(() => {})
    return unwrapped(await Promise.race([answer, this.#crashed])) as ReturnType<ProgramCalls[Name]>
  }

  /** The room that the page's host may take, in bytes; `null`: what the browser gives. Until the tab is closed. */
  async limitQuota(origin: string, quotaSize: number | null): Promise<void> {
    this.#session ??= await this.page.context().newCDPSession(this.page)
    await this.#session.send('Storage.overrideQuotaForOrigin', { origin, ...(quotaSize !== null && { quotaSize }) })
  }

  /** What a person does who clears the site's data. */
  async clearData(origin: string): Promise<void> {
    this.#session ??= await this.page.context().newCDPSession(this.page)
    await this.#session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'indexeddb' })
  }

  /** The process of the tab crashes. */
  async kill(): Promise<void> {
    // Tabs of one site may share a process.
    if (this.#isOver) return
    const crashed = this.page.waitForEvent('crash')
    this.#session ??= await this.page.context().newCDPSession(this.page)
    // Nobody is left to answer.
    this.#session.send('Page.crash').catch(() => {})
    await crashed
    await this.page.close()
  }

  stop(): Promise<void> {
    return this.page.close()
  }
}
