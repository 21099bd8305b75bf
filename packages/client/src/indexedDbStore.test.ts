import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chromiumArgs, chromiumPath } from '../../../test/support/browserWindows.ts'
import { bundlePage } from '../../../test/support/bundlePage.ts'
import { ScriptedServer } from '../test/ScriptedServer.ts'

// The built package in a real browser: IndexedDB is a browser's.
const packageRoot = fileURLToPath(new URL('..', import.meta.url))

const page = `
  import { connect } from '@weft/client'
  import { indexedDbStore } from '@weft/client/indexeddb'
  Object.assign(window, { connect, indexedDbStore })
  window.open_ = async url => {
    window.doc = await connect(url, { store: indexedDbStore('notes'), random: () => 0 })
    window.text = doc.ydoc.getText('t')
  }
`

let browser: Browser
let tab: Page
const code = bundlePage(page, packageRoot)
const site = createServer(async (request, response) => {
  const isScript = request.url === '/page.js'
  response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
  response.end(isScript ? await code : '<!doctype html><script type="module" src="/page.js"></script>')
})

beforeAll(async () => {
  site.listen(0, '127.0.0.1')
  await once(site, 'listening')
  browser = await chromium.launch({ executablePath: chromiumPath, args: chromiumArgs })
  tab = await browser.newPage()
  await tab.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`)
}, 60_000)

afterAll(async () => {
  await browser?.close()
  site.close()
})

/** Runs an expression in the page. */
function run<T>(expression: string): Promise<T> {
  return tab.evaluate(expression) as Promise<T>
}

async function open(url: string): Promise<void> {
  await tab.waitForFunction('window.open_ !== undefined')
  await run(`window.open_(${JSON.stringify(url)})`)
}

describe('indexedDbStore', () => {
  it('keeps offline edits over a reload, unsaved until the server has them', async () => {
    let server = await ScriptedServer.start()
    const { port } = server
    const url = server.url()
    server.ydoc.getText('t').insert(0, 'from the server, ')
    await open(url)
    await run('text.insert(text.length, "online, ")')
    await run('doc.saved()')
    expect(server.text).toBe('from the server, online, ')
    await server.stop()
    await run('new Promise(resolve => doc.status === "offline" ? resolve() : doc.once("status", resolve))')
    await run('text.insert(text.length, "offline")')
    expect(await run('doc.unsaved')).toBe(1)
    // The store's close waits for what was written.
    await run('doc.close({ saved: false })')
    await tab.reload()
    await open(url)
    expect(await run('text.toString()')).toBe('from the server, online, offline')
    expect(await run('doc.unsaved')).toBeGreaterThan(0)
    expect(await run('doc.status')).not.toBe('synced')
    server = await ScriptedServer.start(port)
    await run('doc.saved()')
    expect(server.text).toBe('from the server, online, offline')
    expect(await run('doc.unsaved')).toBe(0)
    await run('doc.close()')
    await server.stop()
  }, 30_000)

  it('does what its docstring shows', async () => {
    const server = await ScriptedServer.start()
    const source = await readFile(new URL('./indexedDbStore.ts', import.meta.url), 'utf8')
    const example = /@example\n \* ```js\n([\s\S]*?)\n \* ```/.exec(source)?.[1]?.replace(/^ \* /gm, '') ?? ''
    expect(example).toContain("saved('local')")
    await tab.waitForFunction('window.open_ !== undefined')
    await run(`(async () => { const url = ${JSON.stringify(server.url('shown'))}\n${example} })()`)
    expect(server.ydoc.getText('notes').toString()).toBe('written here')
    await server.stop()
  })
})
