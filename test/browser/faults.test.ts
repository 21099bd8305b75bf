import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { connect } from '@weft/client'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { chromiumArgs, chromiumPath } from '../support/browserWindows.ts'
import { bundlePage } from '../support/bundlePage.ts'
import { LinkProxy } from '../support/LinkProxy.ts'
import type { ServerProcess } from '../support/ServerProcess.ts'
import { sharedServer } from '../support/testServer.ts'

// The rows of the client's README ("When something fails") that only a page can meet. `test/faults` has the others.

const source = `
  import { connect } from '@weft/client'
  import { indexedDbStore } from '@weft/client/indexeddb'
  window.open_ = async (url, isKept) => {
    const options = { random: () => 0, ...(isKept && { store: indexedDbStore(url) }) }
    window.doc = await connect(url, options)
    window.text = doc.ydoc.getText('t')
    window.write = words => text.insert(text.length, words)
    window.becomes = async status => {
      while (doc.status !== status) await new Promise(resolve => doc.once('status', resolve))
    }
    window.reads = async words => {
      while (!text.toString().includes(words)) await new Promise(resolve => doc.ydoc.once('update', resolve))
    }
  }
`

const code = bundlePage(source, fileURLToPath(new URL('../../packages/client', import.meta.url)))
const site = createServer(async (request, response) => {
  const isScript = request.url === '/page.js'
  response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
  response.end(isScript ? await code : '<!doctype html><script type="module" src="/page.js"></script>')
})
const siteUrl = () => `http://127.0.0.1:${(site.address() as AddressInfo).port}`
const running = sharedServer(async () => {
  site.listen(0, '127.0.0.1')
  await once(site, 'listening')
  return { WEFT_ORIGINS: siteUrl() }
})
let browser: Browser
let count = 0

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: chromiumPath, args: chromiumArgs })
}, 60_000)

afterAll(async () => {
  await browser?.close()
  site.close()
})

interface Setting {
  readonly server: ServerProcess
  readonly proxy: LinkProxy
  readonly context: BrowserContext
  readonly name: string
  open(isKept: boolean): Promise<Page>
  onServer(): Promise<string>
}

async function setting(): Promise<Setting> {
  const server = running()
  const proxy = await LinkProxy.start(server.port)
  const context = await browser.newContext()
  onTestFinished(async () => {
    await context.close()
    await proxy.stop()
  })
  const name = `page-${++count}`
  return {
    server,
    proxy,
    context,
    name,
    async open(isKept) {
      const page = await context.newPage()
      await load(page, `${proxy.socketUrl}/${name}`, isKept)
      return page
    },
    async onServer() {
      const other = await connect(`${server.socketUrl}/${name}`, { random: () => 0 })
      const found = other.ydoc.getText('t').toString()
      await other.close()
      return found
    },
  }
}

async function load(page: Page, url: string, isKept: boolean): Promise<void> {
  await page.goto(siteUrl())
  await page.waitForFunction('window.open_ !== undefined')
  await page.evaluate(`window.open_(${JSON.stringify(url)}, ${isKept})`)
}

describe('a page, where', () => {
  it('it is left with edits that are nowhere safe', async () => {
    const { proxy, open } = await setting()
    const page = await open(false)
    // Browsers ask only where somebody has done something.
    await page.mouse.click(5, 5)
    proxy.stall('toServer')
    await page.evaluate('write("x")')
    const asked = page.waitForEvent('dialog')
    const leaving = page.close({ runBeforeUnload: true })
    const dialog = await asked
    expect(dialog.type()).toBe('beforeunload')
    await dialog.dismiss()
    await leaving
    expect(page.isClosed()).toBe(false)
    proxy.release('toServer')
    await page.evaluate('doc.saved()')
    // Now nothing is lost, and nobody is asked.
    const closed = page.waitForEvent('close')
    page.on('dialog', () => {
      throw new Error('asked, though all is saved')
    })
    await page.close({ runBeforeUnload: true })
    await closed
  })

  it('it is reloaded or opened without a network', async () => {
    const { proxy, open, onServer, name } = await setting()
    const page = await open(true)
    await page.evaluate('write("from before ")')
    await page.evaluate('doc.saved()')
    proxy.refuse(true)
    proxy.cut()
    await page.evaluate('becomes("offline")')
    await page.evaluate('write("and offline")')
    await page.evaluate('doc.saved("local")')
    await load(page, `${proxy.socketUrl}/${name}`, true)
    expect(await page.evaluate('text.toString()')).toBe('from before and offline')
    expect(await page.evaluate('doc.unsaved')).toBeGreaterThan(0)
    proxy.refuse(false)
    await page.evaluate('doc.saved()')
    expect(await onServer()).toBe('from before and offline')
  })

  it('a tab is closed while another has the document', async () => {
    const { proxy, open, onServer } = await setting()
    const [first, second] = [await open(false), await open(false)]
    proxy.refuse(true)
    proxy.cut()
    await Promise.all([first, second].map(page => page.evaluate('becomes("offline")')))
    await first.evaluate('write("from the first")')
    // Without a network, and before the server has it.
    await second.evaluate('reads("from the first")')
    expect(await second.evaluate('doc.unsaved')).toBe(1)
    await first.close()
    proxy.refuse(false)
    await second.evaluate('doc.saved()')
    expect(await onServer()).toBe('from the first')
  })

  it('the browser finds the network again', async () => {
    const { proxy, context, open, onServer } = await setting()
    const page = await open(false)
    await context.setOffline(true)
    proxy.refuse(true)
    proxy.cut()
    await page.evaluate('becomes("offline")')
    await page.evaluate('write("offline")')
    // The pauses between attempts have grown; the browser's word ends them.
    proxy.refuse(false)
    await context.setOffline(false)
    await page.evaluate('doc.saved()')
    expect(await onServer()).toBe('offline')
  })

  it('the link has died while nobody looked', async () => {
    const { proxy, open, onServer } = await setting()
    const page = await open(false)
    const end = page.evaluate('new Promise(resolve => doc.once("disconnected", info => resolve(info.reason)))')
    proxy.halfOpen()
    // As when somebody comes back to the tab.
    await page.evaluate('document.dispatchEvent(new Event("visibilitychange"))')
    expect(await end).toBe('nothing is heard of the server')
    await page.evaluate('write("after waking up")')
    await page.evaluate('doc.saved()')
    expect(await onServer()).toBe('after waking up')
  })

  it('its storage is gone', async () => {
    const { context, open, onServer, proxy, name } = await setting()
    const page = await open(true)
    await page.evaluate('write("kept ")')
    await page.evaluate('doc.saved("local")')
    const session = await context.newCDPSession(page)
    const lost = page.evaluate('new Promise(resolve => doc.once("storeError", error => resolve(error.code)))')
    await session.send('Storage.clearDataForOrigin', {
      origin: siteUrl(),
      storageTypes: 'indexeddb',
    })
    expect(await lost).toBe('unavailable')
    await page.evaluate('write("and kept again")')
    await page.evaluate('doc.saved("local")')
    await page.evaluate('doc.saved()')
    proxy.refuse(true)
    proxy.cut()
    await load(page, `${proxy.socketUrl}/${name}`, true)
    expect(await page.evaluate('text.toString()')).toBe('kept and kept again')
    proxy.refuse(false)
    expect(await onServer()).toBe('kept and kept again')
  })
})
