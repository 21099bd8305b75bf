import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { connect } from '@weft/client'
import { textOf } from '@weft/client/text'
import { expect, it, onTestFinished } from 'vitest'
import { runTicker, type Ticker } from '../../packages/client/examples/ticker.mjs'
import { browserWindows } from '../support/browserWindows.ts'
import type { EditorWindow, PageEditor } from '../support/EditorWindow.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/freePort.ts'
import type { ServerProcess } from '../support/ServerProcess.ts'
import { testServer } from '../support/testServer.ts'

const SERVE = fileURLToPath(new URL('../../packages/client/examples/page/serve.mjs', import.meta.url))

const windows = browserWindows()

/** Builds the examples' page and serves it beside a server. @returns its origin */
async function examplesPage(server: ServerProcess): Promise<string> {
  const port = await freePort()
  const env = { ...process.env, WEFT_PORT: String(server.port), WEFT_EXAMPLES_PORT: String(port) }
  const child = spawn(process.execPath, [SERVE], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  await eventually('the page to be served', () => output.includes('The examples are at'))
  return `http://127.0.0.1:${port}`
}

async function ticker(url: string): Promise<Ticker> {
  const bot = await runTicker(url)
  onTestFinished(() => bot.stop().catch(() => {}))
  return bot
}

/** Clicks behind the last letter of a line, and types. */
async function typeAt(window: EditorWindow, line: string, text: string): Promise<void> {
  await window.page.getByText(line).click()
  await window.keyboard.press('End')
  await window.keyboard.type(text, { delay: 8 })
}

const letters = (name: string): string => Array.from({ length: 25 }, (_, i) => ` ${name}${i}`).join('')

it('a person types around the table while the ticker writes into it, and in a cell beside it: no letter is lost', async () => {
  const server = await testServer()
  const url = `${server.socketUrl}/market`
  const bot = await ticker(url)
  const watcher = await connect(url)
  onTestFinished(() => watcher.close({ saved: false }))
  const window = await windows.open(server.url)
  await window.goTo('market')
  await eventually('prices', () => bot.writes > 5)
  const before = bot.writes
  const above = letters('a')
  const below = letters('b')
  await typeAt(window, 'Write here, while the prices change.', above)
  await typeAt(window, 'And here.', below)
  // The names of the shares are people's: the bot knows its rows by them, and passes over one that it doesn't know.
  await typeAt(window, 'FLAX', ' linen')
  await eventually('the market to go on', () => bot.writes > before + 20)
  await bot.stop()
  await window.shows('saved')
  await eventually('all to have the same', async () => (await window.lines()).join('\n') === textOf(watcher))
  const lines = await window.lines()
  expect(lines).toHaveLength(3 + 7 * 3)
  expect(lines[1]).toBe(`Write here, while the prices change.${above}`)
  expect(lines.at(-1)).toBe(`And here.${below}`)
  expect(lines.filter(line => line === 'FLAX linen')).toHaveLength(1)
  expect(lines.filter(line => /^\d+\.\d\d$/.test(line))).toHaveLength(6)
})

it('every click sets the caret where it goes, while a hundred prices a second are written above it', async () => {
  const server = await testServer()
  const bot = await runTicker(`${server.socketUrl}/market`, { intervalMs: 10 })
  onTestFinished(() => bot.stop().catch(() => {}))
  const window = await windows.open(server.url)
  await window.goTo('market')
  await window.page.getByText('And here.').click()
  for (let i = 0; i < 30; i++) {
    const line = ['Write here', 'And here'][i % 2] ?? ''
    await window.page.getByText(line).click()
    // The market goes on: what would set the caret back has come.
    const { writes } = bot
    await eventually('two more prices', () => bot.writes > writes + 2)
    const caretIn = await window.page.evaluate(() => {
      const { editor } = document.querySelector('[data-testid="editor"]') as unknown as { editor: PageEditor }
      return editor.state.doc.resolve(editor.state.selection.head).parent.textContent
    })
    expect(caretIn).toContain(line)
  }
})

it('the page of the examples has a text, a ticker’s table, a chat and a game, for two who play and one who watches', async () => {
  const server = await testServer()
  const origin = await examplesPage(server)
  const bot = await ticker(`${server.socketUrl}/examples/live`)
  await bot.doc.saved()
  const open = async (name: string, options: Parameters<typeof windows.open>[1] = {}) => {
    const window = await windows.open(origin, options)
    await window.page.goto(origin)
    await window.page.locator('#state', { hasText: 'Live' }).waitFor()
    await window.page.locator('#name').fill(name)
    await window.page.locator('#name').press('Enter')
    return window.page
  }
  const ann = await open('Ann')
  const bo = await open('Bo')
  // On a phone, at night.
  const cy = await open('Cy', { viewport: { width: 390, height: 844 }, colorScheme: 'dark' })
  for (const page of [ann, bo, cy]) {
    await page.locator('#people', { hasText: 'Price bot' }).waitFor()
    expect(await page.locator('#no-ticker').isVisible()).toBe(false)
  }
  expect(await cy.evaluate(() => document.documentElement.scrollWidth > innerWidth)).toBe(false)

  // The chat, with its typing indicator.
  await bo.locator('#people', { hasText: 'Ann' }).waitFor()
  await ann.locator('#line').pressSequentially('hello')
  await bo.getByText('Ann is typing…').waitFor()
  await ann.locator('#line').press('Enter')
  await bo.locator('#lines li', { hasText: 'hello' }).waitFor()
  expect(await bo.locator('#typing').textContent()).toBe('')
  await bo.locator('#line').fill('<b onclick=alert(1)>hi</b>')
  await bo.locator('#line').press('Enter')
  await cy.locator('#lines li', { hasText: '<b onclick=alert(1)>hi</b>' }).waitFor()
  expect(await cy.locator('#lines b').allTextContents()).toEqual(['Ann', 'Bo'])

  // The text, with the carets of the others, while prices change.
  await ann.getByText('Write here, while').click()
  await ann.keyboard.press('End')
  await ann.keyboard.type(letters('x'), { delay: 5 })
  await bo.getByText(`Write here, while the prices change.${letters('x')}`).waitFor()
  await bo.locator('.caret[data-name="Ann"]').waitFor({ state: 'attached' })
  const price = bo.locator('#text td').nth(1)
  const first = await price.textContent()
  await eventually('another price', async () => (await price.textContent()) !== first)

  // All of it within the window of a laptop; on a telephone, nothing to the right of it.
  await ann.setViewportSize({ width: 1280, height: 800 })
  const form = await ann.locator('#say').boundingBox()
  expect((form?.y ?? 0) + (form?.height ?? 0)).toBeLessThanOrEqual(800)
  await ann.setViewportSize({ width: 390, height: 844 })
  const table = await ann.locator('#text table').boundingBox()
  expect((table?.x ?? 0) + (table?.width ?? 0)).toBeLessThanOrEqual(390 - 16)
  await ann.setViewportSize({ width: 1100, height: 800 })

  // The game.
  await ann.locator('#sit-0').click()
  await bo.getByText('Yellow is free.').waitFor()
  await bo.locator('#sit-1').click()
  const players = [ann, bo] as const
  const column = (page: (typeof players)[number], index: number) => page.locator('#board button').nth(index)
  for (const [turn, index] of [0, 1, 0, 1].entries()) await column(players[turn % 2] ?? ann, index).click()
  await cy.getByText('Red’s turn. You watch.').waitFor()
  expect(await cy.locator('#board button:enabled').count()).toBe(0)
  expect(await cy.locator('#sit-0').isVisible()).toBe(false)
  expect(await column(cy, 0).getAttribute('aria-label')).toBe('Column 1: Red, Red')
  // She is the same player after a reload.
  await ann.reload()
  for (const [turn, index] of [0, 1, 0].entries()) await column(players[turn % 2] ?? ann, index).click()
  await ann.getByText('You win.').waitFor()
  for (const page of [bo, cy]) await page.getByText('Red wins.').waitFor()
  await bo.locator('#restart').click()
  await ann.getByText('Red is free.').waitFor()

  // The same text in the editor, where the link leads.
  const link = await ann.locator('#editor').getAttribute('href')
  expect(link).toBe('/d/examples/live')
  await ann.locator('#editor').click()
  await ann.getByTestId('editor').getByText(letters('x').trim()).waitFor()
})
