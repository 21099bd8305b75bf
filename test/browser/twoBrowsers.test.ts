import { toMarkdown } from '@weft/client/text'
import { describe, expect, it } from 'vitest'
import { browserWindows } from '../support/browserWindows.ts'
import { has, program, shows } from '../support/editing.ts'
import { testServer } from '../support/testServer.ts'

describe('Chromium and Firefox', () => {
  const chromium = browserWindows('chromium')
  const firefox = browserWindows('firefox')

  it('write in one document at the same time, and see each other', async () => {
    const server = await testServer()
    const bot = await program(server, 'a', 'Ann\n\nBo')
    const ann = await chromium.open(server.url)
    const bo = await firefox.open(server.url)
    for (const [window, line] of [
      [ann, 'Ann'],
      [bo, 'Bo'],
    ] as const) {
      await window.goTo('a')
      await window.text.getByText(line).click()
      await window.keyboard.press('End')
    }
    await Promise.all([
      ann.keyboard.type(' writes **bold** words', { delay: 2 }),
      bo.keyboard.type(' writes *slanted* ones', { delay: 2 }),
    ])
    await has(bot, 'Ann writes bold words\nBo writes slanted ones')
    expect(toMarkdown(bot)).toBe('Ann writes **bold** words\n\nBo writes *slanted* ones\n')
    for (const window of [ann, bo]) {
      await window.page.locator('.caret').waitFor()
      await shows(window, ['Ann writes bold words', 'Bo writes slanted ones'])
      await window.shows('saved')
    }
    expect(await ann.held()).toEqual(await bo.held())
    await bo.keyboard.press('Shift+Home')
    await ann.page.locator('.other-selection').first().waitFor()
    expect((await ann.page.locator('.other-selection').allTextContents()).join('')).toBe('Bo writes slanted ones')
  })
})
