import { connect, type WeftDocument } from '@weft/client'
import { append, fragmentOf, replaceText, textOf, toMarkdown } from '@weft/client/text'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { browserWindows } from '../support/chromium.ts'
import type { EditorWindow } from '../support/EditorWindow.ts'
import { eventually } from '../support/eventually.ts'
import { LinkProxy } from '../support/LinkProxy.ts'
import type { ServerProcess } from '../support/ServerProcess.ts'
import { type StockClient, stockClient } from '../support/stockClient.ts'
import { documentOf, readStored } from '../support/storedDocument.ts'
import { testServer } from '../support/testServer.ts'

const windows = browserWindows()

async function link(server: ServerProcess): Promise<LinkProxy> {
  const proxy = await LinkProxy.start(server.port)
  onTestFinished(() => proxy.stop())
  return proxy
}

const originOf = (proxy: LinkProxy): string => `http://127.0.0.1:${proxy.port}`

/** A program in the same document. */
async function program(server: ServerProcess, documentId = 'a', markdown = ''): Promise<WeftDocument> {
  const document = await connect(`${server.socketUrl}/${documentId}`)
  onTestFinished(() => document.close({ saved: false }))
  if (markdown !== '') {
    append(document, markdown)
    await document.saved()
  }
  return document
}

/** A client that knows nothing of the schema. */
async function plainClient(
  server: ServerProcess,
  documentId = 'a',
): Promise<StockClient & { fragment: Y.XmlFragment }> {
  const client = stockClient(3, server.socketUrl, documentId)
  onTestFinished(() => client.destroy())
  await client.synced()
  return { ...client, fragment: fragmentOf({ ydoc: client.doc }) }
}

/** Waits until the window shows these blocks. */
async function shows(window: EditorWindow, lines: readonly string[]): Promise<void> {
  let seen: string[] = []
  await eventually(`the lines ${JSON.stringify(lines)}`, async () => {
    seen = await window.lines()
    return JSON.stringify(seen) === JSON.stringify(lines)
  }).catch(() => expect(seen).toEqual(lines))
}

async function has(document: { ydoc: Y.Doc }, text: string): Promise<void> {
  await eventually(`the text ${JSON.stringify(text)}`, () => textOf(document) === text).catch(() =>
    expect(textOf(document)).toBe(text),
  )
}

/** Presses a key, a few times at most, until the window shows these blocks. */
async function pressUntil(window: EditorWindow, key: string, lines: readonly string[]): Promise<void> {
  for (let i = 0; i < 5 && JSON.stringify(await window.lines()) !== JSON.stringify(lines); i++) {
    await window.keyboard.press(key)
  }
  expect(await window.lines()).toEqual(lines)
}

/** The text of a document in the store of a server that is killed for it. */
async function storedText(server: ServerProcess, documentId = 'a'): Promise<string> {
  await server.kill()
  return textOf({ ydoc: documentOf(await readStored(server.folder, documentId)) })
}

describe('a document', () => {
  it('is made on the first page, written, listed there under its title, and opened again', async () => {
    const server = await testServer()
    const ann = await windows.open(server.url, { expectsNetworkFailures: true })
    await ann.page.goto(server.url)
    await ann.page.getByTestId('new-document').click()
    await ann.shows('saved')
    expect(new URL(ann.page.url()).pathname).toMatch(/^\/d\/[a-z]+-[a-z]+-[2-9a-z]{8}$/)
    await ann.type('# Plan\nFirst things first')
    await shows(ann, ['Plan', 'First things first'])
    await ann.shows('saved')
    await ann.page.getByRole('link', { name: 'Documents' }).click()
    await ann.page.getByRole('link', { name: /^Plan/ }).click()
    await shows(ann, ['Plan', 'First things first'])
    expect(await ann.page.title()).toBe('Plan – weft')
    const documentId = new URL(ann.page.url()).pathname.slice('/d/'.length)

    const bo = await windows.open(server.url, { expectsNetworkFailures: true })
    await bo.page.goto(server.url)
    await bo.page.getByTestId('open-name').fill(ann.page.url())
    await bo.keyboard.press('Enter')
    await shows(bo, ['Plan', 'First things first'])
    expect(await storedText(server, documentId)).toBe('Plan\nFirst things first')
  })

  it('takes any name that the server takes', async () => {
    const server = await testServer()
    const window = await windows.open(server.url)
    await window.page.goto(server.url)
    await window.page.getByTestId('open-name').fill('team/Notizen für 100 % ☕')
    await window.keyboard.press('Enter')
    await window.type('hello')
    await window.shows('saved')
    const other = await program(server, `${encodeURIComponent('team')}/${encodeURIComponent('Notizen für 100 % ☕')}`)
    expect(textOf(other)).toBe('hello')
  })

  it('has its first heading as title, which is edited in place', async () => {
    const server = await testServer()
    const bot = await program(server, 'a', 'An introduction\n\n# Old *title*\n\nText')
    const window = await windows.open(server.url)
    await window.goTo('a')
    expect(await window.title.inputValue()).toBe('Old title')
    await window.title.click()
    await window.keyboard.type('New title')
    await window.keyboard.press('Enter')
    await shows(window, ['An introduction', 'New title', 'Text'])
    await has(bot, 'An introduction\nNew title\nText')
    expect(await window.page.title()).toBe('New title – weft')
    expect(await window.text.evaluate(text => text.contains(document.activeElement))).toBe(true)

    await window.title.click()
    await window.keyboard.type('Never mind')
    await window.keyboard.press('Escape')
    expect(await window.title.inputValue()).toBe('New title')
    expect(textOf(bot)).toBe('An introduction\nNew title\nText')
  })

  it('cannot be edited before its first content is here', async () => {
    const server = await testServer()
    await program(server, 'a', 'what was there')
    const proxy = await link(server)
    const window = await windows.open(originOf(proxy), { expectsNetworkFailures: true })
    // The page is loaded before; then the server is silent.
    await window.goTo('another')
    await window.page.getByRole('link', { name: 'Documents' }).click()
    proxy.stall('toClient')
    await window.page.getByTestId('open-name').fill('a')
    await window.keyboard.press('Enter')
    await window.shows('opening')
    await window.page.locator('.waiting').waitFor()
    expect(await window.page.locator('[contenteditable="true"]').count()).toBe(0)
    expect(await window.title.isEditable()).toBe(false)
    await window.page.locator('main').click()
    await window.keyboard.type('too early')
    proxy.release('toClient')
    await shows(window, ['what was there'])
    await window.shows('saved')
    await window.text.click()
    await window.keyboard.press('End')
    await window.keyboard.type(' and more')
    await window.shows('saved')
    expect(await storedText(server)).toBe('what was there and more')
  })
})

describe('the state line', () => {
  it.each(['toServer', 'toClient'] as const)(
    'says "Saved" only when the server has said so (nothing arrives %s)',
    async direction => {
      const server = await testServer()
      const bot = await program(server, 'a', 'one')
      const proxy = await link(server)
      const window = await windows.open(originOf(proxy), { expectsNetworkFailures: true })
      await window.goTo('a')
      await window.shows('saved')
      proxy.stall(direction)
      const saidStates = await window.watchSaveState()
      await window.text.click()
      await window.keyboard.press('End')
      await window.keyboard.type(' two')
      await window.shows('saving')
      // Even where the edit has arrived: as long as nothing was heard of it, it is not called saved.
      if (direction === 'toClient') await has(bot, 'one two')
      else expect(textOf(bot)).toBe('one')
      expect(await saidStates()).toEqual(['saved', 'pending', 'saving'])
      proxy.release(direction)
      await window.shows('saved')
      const said = await saidStates()
      // After the first sign of life, what is left has just begun to wait.
      expect(said.filter(state => state !== 'pending')).toEqual(['saved', 'saving', 'saved'])
      expect(await storedText(server)).toBe('one two')
    },
  )

  it('says "Offline" without a server, keeps what is written, and brings it along', async () => {
    const server = await testServer()
    const plain = await plainClient(server)
    const window = await windows.open(server.url, { expectsNetworkFailures: true })
    await window.goTo('a')
    await window.type('here')
    await window.shows('saved')
    await server.kill()
    await window.shows('offline')
    const saidStates = await window.watchSaveState()
    await window.keyboard.type(' and there')
    await shows(window, ['here and there'])
    expect(await saidStates()).toEqual(['offline'])
    await server.start()
    await window.shows('saved')
    await has({ ydoc: plain.doc }, 'here and there')
  })

  it('says "Offline" as soon as the browser knows, and is back without a new page', async () => {
    const server = await testServer()
    const bot = await program(server)
    const window = await windows.open(server.url, { expectsNetworkFailures: true })
    await window.goTo('a')
    await window.type('here')
    await window.shows('saved')
    await window.context.setOffline(true)
    await window.shows('offline')
    await window.keyboard.type(' alone')
    append(bot, 'from elsewhere')
    await bot.saved()
    await shows(window, ['here alone'])
    await window.context.setOffline(false)
    await window.shows('saved')
    await shows(window, ['here alone', 'from elsewhere'])
    await has(bot, 'here alone\nfrom elsewhere')
  })
})

describe('this device', () => {
  it('keeps what was written offline, over the end of the page, and gives it to the server later', async () => {
    const server = await testServer()
    const bot = await program(server)
    const proxy = await link(server)
    const window = await windows.open(originOf(proxy), { expectsNetworkFailures: true })
    await window.goTo('a')
    await window.type('# Notes\nonline')
    await window.shows('saved')
    proxy.refuse(true)
    proxy.cut()
    await window.shows('offline')
    await window.keyboard.type(' offline')
    await shows(window, ['Notes', 'online offline'])
    await window.page.getByRole('link', { name: 'Documents' }).click()
    await window.page.getByTestId('new-document').waitFor()

    proxy.refuse(false)
    await window.page.goto(originOf(proxy))
    expect(textOf(bot)).toBe('Notes\nonline')
    // What of the page is loaded while nobody waits for it.
    await window.page.waitForLoadState('networkidle')
    proxy.stall('toClient')
    proxy.stall('toServer')
    await window.page.getByRole('link', { name: /^Notes/ }).click()
    await shows(window, ['Notes', 'online offline'])
    expect(await window.saveState()).not.toBe('saved')
    await window.text.click()
    await window.keyboard.press('Control+End')
    await window.keyboard.type(' and on')
    await shows(window, ['Notes', 'online offline and on'])
    expect(await window.saveState()).not.toBe('saved')
    proxy.release('toServer')
    proxy.release('toClient')
    await window.shows('saved')
    await has(bot, 'Notes\nonline offline and on')
  })

  it('keeps the name that a person gives, and the light or dark that they choose', async () => {
    const server = await testServer()
    const window = await windows.open(server.url, { colorScheme: 'light' })
    await window.goTo('a')
    await window.page.getByTestId('people').click()
    await window.keyboard.type('Ann Lee')
    await window.keyboard.press('Enter')
    await window.page.getByTestId('menu').click()
    await window.page.getByRole('radio', { name: 'Dark' }).click({ force: true })
    expect(await luminance(window, 'background-color')).toBeLessThan(0.05)
    await window.page.reload()
    await window.text.waitFor()
    expect(await luminance(window, 'background-color')).toBeLessThan(0.05)
    await window.page.getByTestId('people').click()
    expect(await window.page.getByRole('dialog', { name: 'People' }).getByRole('textbox').inputValue()).toBe('Ann Lee')
  })
})

describe('people', () => {
  it('see each other’s names, carets and selections, and who has left', async () => {
    const server = await testServer()
    await program(server, 'a', 'A line that both look at')
    const ann = await windows.open(server.url)
    const bo = await windows.open(server.url)
    for (const window of [ann, bo]) await window.goTo('a')
    await ann.page.getByTestId('people').click()
    await ann.keyboard.type('Ann Lee')
    await ann.keyboard.press('Enter')
    await bo.page.getByRole('button', { name: '2 people are here' }).waitFor()
    await ann.text.getByText('A line').click()
    await ann.keyboard.press('Home')
    await ann.keyboard.press('Shift+End')
    const caret = bo.page.locator('.caret')
    await caret.waitFor()
    expect(await caret.locator('.caret-name').getAttribute('data-name')).toBe('Ann Lee')
    await bo.page.locator('.other-selection').first().waitFor()
    expect((await bo.page.locator('.other-selection').allTextContents()).join('')).toBe('A line that both look at')
    // A caret is drawn, not written.
    await shows(bo, ['A line that both look at'])
    await bo.page.getByTestId('people').click()
    await bo.page.getByRole('button', { name: 'Ann Lee' }).waitFor()
    await ann.context.close()
    await caret.waitFor({ state: 'detached' })
    await bo.page.getByRole('button', { name: 'Only you are here' }).waitFor()
  })

  it('click beyond the end of a line where another one’s caret is, and write there at once', async () => {
    const server = await testServer()
    const ann = await windows.open(server.url)
    const bo = await windows.open(server.url)
    await ann.goTo('a')
    await ann.type('ann')
    await bo.goTo('a')
    await bo.page.locator('.caret').waitFor()
    // At once: before the editor hears of the new place and sets the browser's caret itself.
    await bo.page.evaluate(() => {
      addEventListener('mouseup', () => {
        const node = getSelection()?.anchorNode
        Object.assign(globalThis, { clickedInto: node?.parentElement?.className ?? node?.nodeName })
      })
    })
    await bo.text.click()
    expect(await bo.page.evaluate(() => (globalThis as unknown as { clickedInto: string }).clickedInto)).toBe('')
    await bo.keyboard.type(' bo')
    await shows(ann, ['ann bo'])
  })

  it('undo what they did themselves, and nothing else', async () => {
    const server = await testServer()
    const ann = await windows.open(server.url)
    const bo = await windows.open(server.url)
    await ann.goTo('a')
    await ann.type('ann')
    await ann.shows('saved')
    await bo.goTo('a')
    await bo.text.click()
    await bo.keyboard.press('Control+End')
    await bo.keyboard.type(' bo')
    await shows(ann, ['ann bo'])
    // What is typed without a pause is undone at once; on a busy machine there may be pauses.
    await pressUntil(ann, 'Control+z', [' bo'])
    await shows(bo, [' bo'])
    await ann.keyboard.press('Control+z')
    await ann.keyboard.press('Control+z')
    await shows(ann, [' bo'])
    await pressUntil(bo, 'Control+z', [''])
    await shows(ann, [''])
    await pressUntil(ann, 'Control+Shift+z', ['ann'])
    await shows(bo, ['ann'])
    await pressUntil(bo, 'Control+y', ['ann bo'])
    await shows(ann, ['ann bo'])
  })

  it('keep their carets in place while others write around them', async () => {
    const server = await testServer()
    const bot = await program(server, 'a', 'first\n\nsecond')
    const window = await windows.open(server.url)
    await window.goTo('a')
    await window.text.getByText('second').click()
    await window.keyboard.press('Home')
    await window.keyboard.press('ArrowRight')
    replaceText(bot, 'first', 'first of all')
    const paragraph = new Y.XmlElement('paragraph')
    paragraph.insert(0, [new Y.XmlText('above')])
    fragmentOf(bot).insert(0, [paragraph])
    await shows(window, ['above', 'first of all', 'second'])
    await window.keyboard.type('~')
    await has(bot, 'above\nfirst of all\ns~econd')
  })
})

describe('what this editor does not know', () => {
  const unknown = () => {
    const element = new Y.XmlElement('whiteboard')
    element.insert(0, [new Y.XmlText('drawn')])
    return element
  }

  it('makes it read-only with a note, and stays in the shared document', async () => {
    const server = await testServer()
    await program(server, 'a', 'known')
    const plain = await plainClient(server)
    const window = await windows.open(server.url, { expectsNetworkFailures: true })
    await window.goTo('a')
    await window.text.click()
    await window.keyboard.press('End')
    await window.keyboard.type('!')
    await window.shows('saved')
    plain.fragment.insert(1, [unknown()])
    const note = window.page.getByTestId('reading-only')
    await note.waitFor()
    expect(await note.textContent()).toContain('whiteboard')
    expect(await window.page.locator('[contenteditable="true"]').count()).toBe(0)
    expect(await window.title.isEditable()).toBe(false)
    await window.text.click()
    await window.keyboard.type('lost?')
    // Others go on, and are seen.
    const paragraph = new Y.XmlElement('paragraph')
    paragraph.insert(0, [new Y.XmlText('later')])
    plain.fragment.insert(2, [paragraph])
    await window.text.getByText('later').waitFor()
    expect(await window.text.textContent()).not.toContain('lost?')
    expect(plain.fragment.toString()).toContain('<whiteboard>drawn</whiteboard>')

    // Also in a window that opens later, and from the copy of this device.
    await window.page.reload()
    await note.waitFor()
    const second = await windows.open(server.url, { expectsNetworkFailures: true })
    await second.page.goto(`${server.url}/d/a`)
    await second.page.getByTestId('reading-only').waitFor()

    // Once it is gone, everybody writes again.
    plain.fragment.delete(1)
    for (const { page } of [window, second]) {
      await page.getByTestId('reading-only').waitFor({ state: 'detached' })
      await page.locator('[contenteditable="true"]').waitFor()
    }
    await window.text.click()
    await window.keyboard.press('Control+End')
    await window.keyboard.type(' than that')
    await shows(
      second,
      ['!known', 'later than that'].map(line => line.replace('!known', 'known!')),
    )
    plain.fragment.insert(0, [unknown()])
    await note.waitFor()
    await window.shows('saved')
    await server.kill()
    const stored = documentOf(await readStored(server.folder, 'a'))
    expect(fragmentOf({ ydoc: stored }).toString()).toContain('<whiteboard>drawn</whiteboard>')
  })

  it('survives in every place, while people type at the same moment', async () => {
    const server = await testServer()
    await program(server, 'a', 'one\n\n- two\n\n| a | b |\n| - | - |\n| c | d |')
    const plain = await plainClient(server)
    const window = await windows.open(server.url)
    await window.goTo('a')
    await window.shows('saved')
    await window.text.getByText('one').click()
    await window.keyboard.press('End')
    const typing = window.keyboard.type(' and much more to say', { delay: 2 })
    const list = plain.fragment.get(1) as Y.XmlElement
    const item = list.get(0) as Y.XmlElement
    item.insert(1, [unknown()])
    await typing
    await window.page.getByTestId('reading-only').waitFor()
    const text = (item.get(0) as Y.XmlElement).get(0) as Y.XmlText
    text.format(0, 2, { glitter: { size: 3 } })
    await window.page.getByTestId('reading-only').getByText('glitter').waitFor()
    await window.shows('saved')
    await eventually('what was typed before', () => plain.fragment.get(0).toString().startsWith('<paragraph>one'))
    expect(plain.fragment.toString()).toContain('<whiteboard>drawn</whiteboard>')
    expect(text.toString()).toContain('glitter')
  })
})

describe('hostile content', () => {
  it('does not make links or images that run scripts', async () => {
    const server = await testServer()
    const plain = await plainClient(server)
    const hrefs = [
      'javascript:globalThis.hit=1',
      ' java\nscript:globalThis.hit=1',
      'data:text/html,<script>hit=1</script>',
    ]
    plain.doc.transact(() => {
      for (const href of hrefs) {
        const paragraph = new Y.XmlElement('paragraph')
        const text = new Y.XmlText()
        text.insert(0, 'bad link', { link: { href } })
        paragraph.insert(0, [text])
        plain.fragment.push([paragraph])
      }
      const image = new Y.XmlElement('image')
      image.setAttribute('src', 'javascript:globalThis.hit=1')
      plain.fragment.push([image])
      const markup = new Y.XmlElement('paragraph')
      markup.insert(0, [new Y.XmlText('<img src=x onerror="globalThis.hit=1"><script>globalThis.hit=1</script>')])
      plain.fragment.push([markup])
    })
    const window = await windows.open(server.url)
    await window.goTo('a')
    await window.text.getByText('<script>').waitFor()
    const addresses = await window.text.evaluate(text =>
      [...text.querySelectorAll('a, img, iframe, script')].map(element => [
        element.tagName,
        (element as HTMLAnchorElement).href ?? '',
        (element as HTMLImageElement).src ?? '',
      ]),
    )
    for (const address of addresses.flat()) expect(address.replace(/\s/g, '')).not.toMatch(/^(?:javascript|data):/i)
    for (const bad of await window.text.getByText('bad link').all()) {
      await bad.click()
      await bad.click({ modifiers: ['Control'] })
      expect(await window.page.getByRole('button', { name: 'Open link' }).count()).toBe(0)
    }
    expect(window.context.pages()).toHaveLength(1)
    expect(await window.page.evaluate(() => 'hit' in globalThis)).toBe(false)
  })

  it('shows a name as a name, whatever it holds', async () => {
    const server = await testServer()
    await program(server, 'a', 'text')
    const window = await windows.open(server.url)
    await window.goTo('a')
    const plain = await plainClient(server)
    const name = '<img src=x onerror="globalThis.hit=1">'
    const start = Y.createRelativePositionFromTypeIndex(plain.fragment, 0)
    for (const color of ['#fff;background:url(https://example.org/)', 7, null, { a: 1 }]) {
      plain.provider.awareness.setLocalState({ user: { name, color, id: 'x' }, cursor: { anchor: start, head: start } })
      await window.page.getByRole('button', { name: '2 people are here' }).waitFor()
    }
    await eventually(
      'the caret',
      async () => (await window.page.locator('.caret-name').getAttribute('data-name')) === name,
    )
    for (const broken of [
      { user: 'x' },
      { user: { name: { a: 1 } }, cursor: { anchor: 'x', head: 3 } },
      { cursor: [] },
    ]) {
      plain.provider.awareness.setLocalState(broken)
    }
    plain.provider.awareness.setLocalState({ user: { name: 'Well again' } })
    await window.page.getByTestId('people').click()
    await window.page.getByRole('button', { name: 'Well again' }).waitFor()
    expect(await window.page.evaluate(() => 'hit' in globalThis)).toBe(false)
    await window.type('still works ')
    await window.shows('saved')
  })
})

describe('writing', () => {
  it('knows Markdown’s shortcuts', async () => {
    const server = await testServer()
    const bot = await program(server)
    const window = await windows.open(server.url)
    await window.goTo('a')
    await window.type('# Title\nSome **bold**, *slanted*, ~~gone~~ and `code`.\n')
    await window.keyboard.type('## Lists\n- one\ntwo\n\n1. first\nsecond\n\n[ ] to do\ndone\n\n> said\n\n')
    await window.keyboard.type('---')
    await window.keyboard.type('see https://example.org/ there\n')
    await window.keyboard.type('```js\nlet a = 1\n')
    await window.shows('saved')
    await eventually('the text', () => textOf(bot).includes('let a = 1'))
    expect(toMarkdown(bot)).toBe(`# Title

Some **bold**, *slanted*, ~~gone~~ and \`code\`.

## Lists

- one
- two

1. first
2. second

- [ ] to do
- [ ] done

> said

---

see <https://example.org/> there

\`\`\`js
let a = 1

\`\`\`
`)
  })

  it('has a slash menu for the keyboard', async () => {
    const server = await testServer()
    const window = await windows.open(server.url)
    await window.goTo('a')
    const menu = window.page.getByTestId('slash-menu')
    const chosen = menu.locator('[aria-selected="true"]')
    await window.type('/')
    await menu.waitFor()
    expect(await chosen.textContent()).toBe('Text')
    await window.keyboard.press('ArrowDown')
    await window.keyboard.press('ArrowDown')
    expect(await chosen.textContent()).toContain('Heading 2')
    const active = await chosen.getAttribute('id')
    await window.page.locator(`[data-testid="editor"][aria-activedescendant="${active}"]`).waitFor()
    await window.keyboard.press('Enter')
    await menu.waitFor({ state: 'detached' })
    await window.keyboard.type('Below\n/tab')
    await menu.waitFor()
    expect(await chosen.textContent()).toBe('Table')
    await window.keyboard.press('Enter')
    await window.keyboard.type('Who')
    await window.keyboard.press('Tab')
    await window.keyboard.type('When')
    await window.text.locator('table').waitFor()
    expect(await window.text.locator('h2').textContent()).toBe('Below')
    expect(await window.text.locator('th').allTextContents()).toEqual(['Who', 'When', ''])
    // Escape closes it, and what was typed stays text.
    await window.keyboard.press('Tab')
    await window.keyboard.type('/he')
    await menu.waitFor()
    await window.keyboard.press('Escape')
    await menu.waitFor({ state: 'detached' })
    await window.keyboard.type('!')
    expect(await window.text.locator('th').allTextContents()).toEqual(['Who', 'When', '/he!'])
  })

  it('has the focus back at once: what is typed after a field or the title loses no letter', async () => {
    const server = await testServer()
    const bot = await program(server)
    const window = await windows.open(server.url)
    await window.goTo('a')
    await window.text.click()
    // A busy machine: the next frame is far away.
    await window.page.evaluate(() => {
      globalThis.requestAnimationFrame = () => 0
    })
    await window.keyboard.type('/image\n')
    await window.keyboard.type(`${server.url}/healthz\nbelow `)
    await window.keyboard.press('Control+k')
    await window.keyboard.type('example.org\n there')
    await has(bot, 'below https://example.org there')
    await window.title.fill('Title')
    await window.keyboard.press('Enter')
    await window.keyboard.type('!')
    await has(bot, 'Title\nbelow https://example.org there!')
  })

  it('puts images and links by their address, and only safe ones', async () => {
    const server = await testServer()
    const bot = await program(server)
    const window = await windows.open(server.url)
    await window.goTo('a')
    await window.type('/image\n')
    const image = window.page.getByRole('textbox', { name: 'Address of the image' })
    await image.fill('javascript:alert(1)')
    await window.keyboard.press('Enter')
    await window.page.getByRole('alert').filter({ hasText: 'https://' }).waitFor()
    // An image of this server, so that no test asks another host.
    const src = `${server.url}/healthz`
    await image.fill(src)
    await window.keyboard.press('Enter')
    await window.keyboard.type('Read this')
    for (let i = 0; i < 4; i++) await window.keyboard.press('Shift+ArrowLeft')
    await window.selects('this')
    await window.keyboard.press('Control+k')
    const address = window.page.getByRole('textbox', { name: 'Address of the link' })
    await address.fill('javascript:alert(1)')
    await window.keyboard.press('Enter')
    await window.page.getByRole('alert').filter({ hasText: 'https://' }).waitFor()
    await address.fill('example.org')
    await window.keyboard.press('Enter')
    await window.shows('saved')
    await eventually('the link', () => toMarkdown(bot).includes('example.org'))
    expect(toMarkdown(bot)).toBe(`![](${src})\n\nRead [this](https://example.org)\n`)
  })

  it('has a bar at the selection, which the keyboard reaches and Escape leaves', async () => {
    const server = await testServer()
    const bot = await program(server, 'a', 'some words')
    const window = await windows.open(server.url)
    await window.goTo('a')
    await window.text.click()
    await window.keyboard.press('Home')
    for (let i = 0; i < 4; i++) await window.keyboard.press('Shift+ArrowRight')
    await window.selects('some')
    const bar = window.page.getByTestId('formatting-toolbar')
    await bar.waitFor()
    await window.keyboard.press('Alt+F10')
    await hasFocus(window, 'Bold')
    await window.keyboard.press('Enter')
    await eventually('bold', () => toMarkdown(bot).startsWith('**some** words'))
    await window.keyboard.press('Alt+F10')
    await window.keyboard.press('ArrowRight')
    await hasFocus(window, 'Italic')
    await window.keyboard.press('ArrowLeft')
    await window.keyboard.press('ArrowLeft')
    await hasFocus(window, 'Quote')
    await window.keyboard.press('Escape')
    await bar.waitFor({ state: 'detached' })
    await hasFocus(window, 'Text of the document')
    // ProseMirror draws its selection once more 20 ms after the focus came: a timer set now fires after that one.
    await window.page.evaluate(() => new Promise(resolve => setTimeout(resolve, 20)))
    await window.keyboard.press('ArrowRight')
    await window.selects('')
    await window.keyboard.type('!')
    await has(bot, 'some! words')
  })

  it('ticks tasks for everybody', async () => {
    const server = await testServer()
    const bot = await program(server, 'a', '- [ ] write\n- [x] test')
    const window = await windows.open(server.url)
    await window.goTo('a')
    await window.text.locator('input[type=checkbox]').first().click()
    await eventually('the tick', () => toMarkdown(bot) === '- [x] write\n- [x] test\n')
  })
})

describe('the keyboard', () => {
  it('reaches everything, with a focus that is seen, and Escape goes back to where one was', async () => {
    const server = await testServer()
    await program(server, 'a', '# Title\n\nText')
    const window = await windows.open(server.url)
    await window.goTo('a')
    const stops: string[] = []
    for (let i = 0; i < 6; i++) {
      await window.keyboard.press('Tab')
      stops.push(await focused(window))
      if (stops.at(-1) === 'Text of the document') break
      expect(await focusIsSeen(window), `the focus on ${stops.at(-1)}`).toBe(true)
    }
    expect(stops).toEqual([
      'Documents',
      'Title of the document',
      'Only you are here',
      'Share',
      'Menu',
      'Text of the document',
    ])
    await window.keyboard.press('Shift+Tab')
    await window.keyboard.press('Enter')
    await window.page.getByRole('dialog', { name: 'Menu' }).waitFor()
    await window.keyboard.press('Escape')
    await window.page.getByRole('dialog', { name: 'Menu' }).waitFor({ state: 'detached' })
    await hasFocus(window, 'Menu')

    await window.text.click()
    await window.keyboard.press('Control+/')
    await window.page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor()
    await window.keyboard.press('Escape')
    await hasFocus(window, 'Text of the document')
  })
})

describe('any window', () => {
  const everything = `# A document with a rather long title that has to go somewhere on a phone

Some text with a very-long-word-${'that-does-not-want-to-end-'.repeat(5)}and https://example.org/${'path/'.repeat(20)}

- list
  - in a list
    - in a list

| one | two | three | four | five | six | seven |
| --- | --- | --- | --- | --- | --- | --- |
| ${'cell with words | '.repeat(7)}

\`\`\`js
const aLine = 'that is longer than any phone is wide, and goes on and on and on and on and on and on and on'
\`\`\`

- [ ] task
`

  it.each([1440, 820, 390])('is never scrolled sideways, at %i px', async width => {
    const server = await testServer()
    await program(server, 'a', everything)
    const isPhone = width === 390
    const window = await windows.open(server.url, {
      viewport: { width, height: 780 },
      hasTouch: isPhone,
      isMobile: isPhone,
    })
    await window.page.goto(server.url)
    await window.page.getByTestId('new-document').waitFor()
    expect(await window.scrollsSideways()).toBe(false)
    await window.goTo('a')
    await window.shows('saved')
    expect(await window.scrollsSideways()).toBe(false)
    for (const button of ['menu', 'people']) {
      await window.page.getByTestId(button).click()
      await window.page.locator('.popover').waitFor()
      expect(await window.scrollsSideways(), button).toBe(false)
      expect(await isInWindow(window, '.popover'), button).toBe(true)
      await window.keyboard.press('Escape')
      await window.page.locator('.popover').waitFor({ state: 'detached' })
    }
    await window.text.locator('p').first().click()
    await window.keyboard.press('End')
    await window.keyboard.type(' /')
    await window.page.getByTestId('slash-menu').waitFor()
    await eventually('the menu in the window', () => isInWindow(window, '[data-testid="slash-menu"]'))
    expect(await window.scrollsSideways()).toBe(false)
    await window.keyboard.press('Escape')
    await window.keyboard.press('Shift+Home')
    await window.page.getByTestId('formatting-toolbar').waitFor()
    await eventually('the bar in the window', () => isInWindow(window, '[data-testid="formatting-toolbar"]'))
    expect(await window.scrollsSideways()).toBe(false)
  })

  it.each(['light', 'dark'] as const)('can be read when it is %s', async colorScheme => {
    const server = await testServer()
    await program(server, 'a', everything)
    const window = await windows.open(server.url, { colorScheme })
    await window.goTo('a')
    const [paper, ink] = [await luminance(window, 'background-color'), await luminance(window, 'color')]
    expect(paper < ink).toBe(colorScheme === 'dark')
    const [low, high] = paper < ink ? [paper, ink] : [ink, paper]
    // WCAG 2.2, 1.4.3: 4.5 for text. This text is read for hours.
    expect((high + 0.05) / (low + 0.05)).toBeGreaterThan(7)
  })
})

/** The name of what has the focus. */
async function focused(window: EditorWindow): Promise<string> {
  return window.page.evaluate(() => {
    const element = document.activeElement
    return element?.getAttribute('aria-label') ?? element?.textContent?.trim() ?? ''
  })
}

async function hasFocus(window: EditorWindow, name: string): Promise<void> {
  let seen = ''
  await eventually(`the focus on ${name}`, async () => {
    seen = await focused(window)
    return seen === name
  }).catch(() => expect(seen).toBe(name))
}

async function focusIsSeen(window: EditorWindow): Promise<boolean> {
  return window.page.evaluate(() => {
    const style = getComputedStyle(document.activeElement ?? document.body)
    return (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none'
  })
}

async function isInWindow(window: EditorWindow, selector: string): Promise<boolean> {
  return window.page.evaluate(wanted => {
    const { innerWidth, innerHeight } = globalThis
    const box = document.querySelector(wanted)?.getBoundingClientRect()
    return (
      box !== undefined &&
      box.width > 0 &&
      box.left >= 0 &&
      box.right <= innerWidth &&
      box.top >= 0 &&
      box.bottom <= innerHeight
    )
  }, selector)
}

/** WCAG's relative luminance of the text's ink, or of what it stands on. */
async function luminance(window: EditorWindow, property: 'color' | 'background-color'): Promise<number> {
  return window.text.evaluate((text, wanted) => {
    const read = (color: string) => {
      const context = new OffscreenCanvas(1, 1).getContext('2d')
      if (context === null) throw new Error('no canvas')
      context.fillStyle = color
      context.fillRect(0, 0, 1, 1)
      return [...context.getImageData(0, 0, 1, 1).data]
    }
    let element: Element | null = text
    let pixel = read(getComputedStyle(text).getPropertyValue(wanted))
    // The first one that is painted at all.
    while (wanted === 'background-color' && pixel[3] === 0 && element.parentElement !== null) {
      element = element.parentElement
      pixel = read(getComputedStyle(element).getPropertyValue(wanted))
    }
    const linear = pixel.slice(0, 3).map(value => {
      const part = value / 255
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * (linear[0] ?? 0) + 0.7152 * (linear[1] ?? 0) + 0.0722 * (linear[2] ?? 0)
  }, property)
}
