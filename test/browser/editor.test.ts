import { connect } from '@weft/client'
import { append, fragmentOf, textOf, toMarkdown } from '@weft/client/text'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { browserWindows } from '../support/browserWindows.ts'
import type { EditorWindow } from '../support/EditorWindow.ts'
import { has, link, originOf, plainClient, program, shows, storedText } from '../support/editing.ts'
import { eventually } from '../support/eventually.ts'
import { documentOf, readStored } from '../support/storedDocument.ts'
import { testServer } from '../support/testServer.ts'

const windows = browserWindows()

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
    '[threat E5] says "Saved" only when the server has said so (nothing arrives %s)',
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
})

describe('this device', () => {
  it('[threat E5] says so when it has no room, offline, and asks before the page is left', async () => {
    const server = await testServer()
    const window = await windows.open(server.url, { expectsNetworkFailures: true })
    const session = await window.context.newCDPSession(window.page)
    // Before the first edit: Chromium remembers for half a minute how much room there is.
    await session.send('Storage.overrideQuotaForOrigin', { origin: server.url, quotaSize: 1 })
    await window.goTo('a')
    await window.type('here')
    await window.shows('saved')
    await server.kill()
    await window.shows('unkept')
    await window.keyboard.type(' and there')
    await window.page.getByText('Offline – not kept on this device').first().waitFor()
    const asked = window.page.waitForEvent('dialog')
    await window.page.close({ runBeforeUnload: true })
    const dialog = await asked
    expect(dialog.type()).toBe('beforeunload')
    await dialog.dismiss()
    await session.send('Storage.overrideQuotaForOrigin', { origin: server.url })
    await server.start()
    await window.shows('saved')
    await shows(window, ['here and there'])
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

describe('what floats', () => {
  it('opens by mouse without a mark on any item, and is left to the keys', async () => {
    const server = await testServer()
    const window = await windows.open(server.url)
    await window.goTo('a')
    await window.text.click()
    await window.page.getByTestId('menu').click()
    const menu = window.page.getByRole('dialog', { name: 'Menu' })
    await menu.waitFor()
    expect(await menu.locator(':focus-visible').count()).toBe(0)
    await window.keyboard.press('ArrowDown')
    expect(await menu.locator(':focus-visible').textContent()).toContain('Outline')
    await window.keyboard.press('Escape')
    await window.page.getByTestId('menu').click()
    await window.keyboard.press('ArrowUp')
    expect(await menu.locator(':focus').getAttribute('type')).toBe('radio')
  })

  it('has the slash menu below the line as long as some rows fit there, and whole rows only', async () => {
    const server = await testServer()
    const window = await windows.open(server.url, { viewport: { width: 1100, height: 400 } })
    await window.goTo('a')
    await window.type('/')
    const menu = window.page.getByTestId('slash-menu')
    await menu.waitFor()
    const place = () =>
      menu.evaluate(list => {
        const { top, bottom } = list.getBoundingClientRect()
        const row = list.firstElementChild?.getBoundingClientRect().height ?? 0
        return { top, bottom, rows: (bottom - top - 8) / row }
      })
    const slash = await window.text.locator('.slash').boundingBox()
    await eventually(
      'the menu below the slash',
      async () => (await place()).top >= (slash?.y ?? 0) + (slash?.height ?? 0),
    )
    const { bottom, rows } = await place()
    expect(bottom).toBeLessThanOrEqual(400)
    expect(rows).toBe(Math.round(rows))
    expect(rows).toBeLessThan(9)
  })

  it('has the name of a caret within the window', async () => {
    const server = await testServer()
    const bot = await program(server, 'a', 'as long as a line of a telephone is')
    const window = await windows.open(server.url, { viewport: { width: 390, height: 844 } })
    await window.goTo('a')
    await shows(window, ['as long as a line of a telephone is'])
    const text = (fragmentOf(bot).get(0) as Y.XmlElement).get(0) as Y.XmlText
    const moveTo = (index: number) => {
      const place = Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(text, index))
      bot.awareness.setLocalState({
        user: { name: 'Annabella Longfellow of Cambridge', color: '#8e4ec6' },
        cursor: { anchor: place, head: place },
      })
    }
    const caret = window.page.locator('.caret')
    const edges = () =>
      caret.evaluate(element => {
        const name = element.querySelector('.caret-name')?.getBoundingClientRect()
        return { caret: element.getBoundingClientRect().left, left: name?.left ?? 0, right: name?.right ?? 0 }
      })
    moveTo(35)
    await eventually('the name to the left of the caret', async () => {
      const { caret, left, right } = await edges()
      return left >= 0 && right <= caret + 2
    })
    moveTo(3)
    await eventually('the name to the right of the caret', async () => {
      const { caret, left, right } = await edges()
      return left >= caret - 2 && right <= 390
    })
    expect(await window.scrollsSideways()).toBe(false)
  })
})

describe('what this editor does not know', () => {
  const unknown = () => {
    const element = new Y.XmlElement('whiteboard')
    element.insert(0, [new Y.XmlText('drawn')])
    return element
  }

  it('[threat D4] makes it read-only with a note, and stays in the shared document', async () => {
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
    expect(await note.textContent()).toContain('parts that this editor doesn’t know (whiteboard) and would delete')
    await window.shows('reading')
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
    await window.shows('reading')
    await server.kill()
    const stored = documentOf(await readStored(server.folder, 'a'))
    expect(fragmentOf({ ydoc: stored }).toString()).toContain('<whiteboard>drawn</whiteboard>')
  })

  it('[threat D4] may be anything where the page is older than its server: it only shows the document, and says so', async () => {
    const server = await testServer()
    await program(server, 'a', 'known')
    const window = await windows.open(server.url)
    // What the page says of its schema, and hears of the server's (message 117), as it would be over an upgrade.
    await window.page.addInitScript(() => {
      const EDITOR = 117
      globalThis.WebSocket = class extends WebSocket {
        override send(data: Uint8Array<ArrayBuffer>): void {
          super.send(data[0] === EDITOR ? Uint8Array.of(EDITOR, 0) : data)
        }

        override set onmessage(heard: (event: { data: ArrayBuffer }) => void) {
          this.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer>) => {
            heard({ data: new Uint8Array(data)[0] === EDITOR ? Uint8Array.of(EDITOR, 2).buffer : data })
          })
        }
      }
    })
    await window.page.goto(`${server.url}/d/a`)
    await window.text.getByText('known').waitFor()
    await window.page.getByTestId('reader').getByText('This page is older than the server').waitFor()
    await eventually('an end of editing', async () => {
      return (await window.page.locator('[contenteditable="true"]').count()) === 0
    })
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
    await window.shows('reading')
    await eventually('what was typed before', () => plain.fragment.get(0).toString().startsWith('<paragraph>one'))
    expect(plain.fragment.toString()).toContain('<whiteboard>drawn</whiteboard>')
    expect(text.toString()).toContain('glitter')
  })
})

describe('a document whose text stands where this page doesn’t look', () => {
  it('is not shown as an empty one', async () => {
    const server = await testServer()
    const other = await program(server)
    const paragraph = new Y.XmlElement('paragraph')
    paragraph.insert(0, [new Y.XmlText('written elsewhere')])
    other.ydoc.getXmlFragment('prosemirror').insert(0, [paragraph])
    await other.saved()
    const window = await windows.open(server.url)
    await window.goTo('a')
    const note = window.page.getByTestId('elsewhere')
    expect(await note.textContent()).toContain(
      'The text of this document is in prosemirror, which this page doesn’t show',
    )
    await window.type('beside it')
    await window.shows('saved')
    expect(await note.count()).toBe(1)
    await window.page.reload()
    await shows(window, ['beside it'])
    expect(await note.count()).toBe(0)
  })

  it('is an ordinary one when its text comes, with a chat beside it', async () => {
    const server = await testServer()
    const other = await program(server)
    const chat = other.ydoc.getArray('chat')
    chat.push([{ text: 'hello' }])
    await other.saved()
    const window = await windows.open(server.url)
    await window.goTo('a')
    const note = window.page.getByTestId('elsewhere')
    expect(await note.textContent()).toContain('The content of this document is in chat,')
    await program(server, 'a', 'the text')
    await shows(window, ['the text'])
    await note.waitFor({ state: 'detached' })
    chat.push([{ text: 'well' }])
    await other.saved()
    await program(server, 'a', 'more text')
    await shows(window, ['the text', 'more text'])
    expect(await note.count()).toBe(0)
  })
})

describe('hostile content', () => {
  it('[threat E1] does not make links or images that run scripts, or ask what they may not', async () => {
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
      for (const src of [
        'javascript:globalThis.hit=1',
        'data:image/svg+xml,<svg onload="globalThis.hit=1">',
        'http://elsewhere.example/a.png',
        '//elsewhere.example/a.png',
        '/api/v1/documents/a/uploads/../../../../healthz',
        '/healthz',
      ]) {
        const image = new Y.XmlElement('image')
        image.setAttribute('src', src)
        plain.fragment.push([image])
      }
      const markup = new Y.XmlElement('paragraph')
      markup.insert(0, [new Y.XmlText('<img src=x onerror="globalThis.hit=1"><script>globalThis.hit=1</script>')])
      plain.fragment.push([markup])
    })
    const window = await windows.open(server.url)
    const asked: string[] = []
    window.page.on('request', request => asked.push(request.url()))
    await window.goTo('a')
    await window.text.getByText('<script>').waitFor()
    expect(await window.text.locator('img:not(.ProseMirror-separator)').count()).toBe(6)
    expect(await window.text.locator('img[src]').count()).toBe(0)
    expect(await window.text.getByAltText('(not shown: its address is not encrypted, http://)').count()).toBe(1)
    expect(asked.filter(url => /elsewhere|healthz/.test(url))).toEqual([])
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
    // What is no text at all draws no caret: the last one does.
    for (const color of [7, { a: 1 }, null, '#fff;background:url(https://example.org/)']) {
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

describe('carets of others', () => {
  it('that are none take nothing away, whatever somebody calls a caret', async () => {
    const place = { type: null, tname: 'default', item: null, assoc: 0 }
    const nowhere = { item: { client: 5, clock: 1_000_000 } }
    const cursors = [
      {},
      { anchor: 1, head: 1 },
      { anchor: {}, head: {} },
      { anchor: place },
      { anchor: nowhere, head: nowhere },
      { anchor: { tname: 'another' }, head: { tname: 'another' } },
      { anchor: { ...place, assoc: 'x' }, head: place },
      { anchor: { item: { client: 'x', clock: null } }, head: { type: { client: -1, clock: 0.5 } } },
    ]
    const users = ['Vic', 7, { name: 'Vic', color: { toString: 1 } }, { name: { toString: 1 }, color: 'red' }]
    const states = [
      ...cursors.map(cursor => ({ user: { name: 'Vic', color: '#112233' }, cursor })),
      ...users.map(user => ({ user, cursor: { anchor: place, head: place } })),
    ]
    const server = await testServer()
    const bot = await program(server, 'a', 'one')
    const window = await windows.open(server.url)
    await window.goTo('a')
    await shows(window, ['one'])
    const others = await Promise.all(states.map(state => connect(`${server.socketUrl}/a`, { awareness: state })))
    onTestFinished(async () => {
      for (const other of others) await other.close({ saved: false })
    })
    await eventually('the bot to see them all', () => bot.awareness.getStates().size >= states.length + 2)
    append(bot, 'two')
    await shows(window, ['one', 'two'])
    await window.text.click()
    await window.keyboard.press('Control+End')
    await window.keyboard.type(' and three')
    await shows(window, ['one', 'two and three'])
    await has(bot, 'one\ntwo and three')
  })
})

it('begins Hebrew and Arabic on the right, with their bullets and boxes, and what is beside them on the left', async () => {
  const server = await testServer()
  const bot = await program(server, 'a', 'English\n\nשלום עולם\n\n- مرحبا\n\nlast')
  append(bot, '- [ ] משימה')
  const window = await windows.open(server.url)
  await window.goTo('a')
  await shows(window, ['English', 'שלום עולם', 'مرحبا', 'last', 'משימה'])
  const directions = await window.text
    .locator('ul')
    .evaluateAll(lists => lists.map(list => getComputedStyle(list).direction))
  expect(directions).toEqual(['rtl', 'rtl'])
  /** How far the letters of a paragraph are from the left edge of the text, in px. */
  const left = (text: string) =>
    window.text
      .getByText(text, { exact: true })
      .last()
      .evaluate(paragraph => {
        const range = document.createRange()
        range.selectNodeContents(paragraph)
        return range.getBoundingClientRect().left - (paragraph.closest('.text')?.getBoundingClientRect().left ?? 0)
      })
  expect(await left('English')).toBeLessThan(1)
  expect(await left('שלום עולם')).toBeGreaterThan(300)
  expect(await window.page.getByRole('checkbox', { name: 'משימה', exact: true }).count()).toBe(1)
})

describe('an image', () => {
  // One pixel.
  const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

  /** What a browser does with a file that is pasted or dropped. */
  const give = (window: EditorWindow, how: 'paste' | 'drop', name: string, type: string, content = PNG) =>
    window.text.evaluate(
      (text, [how, name, type, content]) => {
        const data = new DataTransfer()
        const bytes = Uint8Array.from(atob(content), character => character.charCodeAt(0))
        data.items.add(new File([bytes], name, { type }))
        const { right, bottom } = (text.lastElementChild ?? text).getBoundingClientRect()
        const event =
          how === 'paste'
            ? new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })
            : new DragEvent('drop', {
                dataTransfer: data,
                clientX: right - 2,
                clientY: bottom - 10,
                bubbles: true,
                cancelable: true,
              })
        text.dispatchEvent(event)
      },
      [how, name, type, content] as const,
    )

  it('is pasted, dropped or chosen, uploaded, and seen by others', async () => {
    const server = await testServer({ WEFT_MAX_UPLOAD_BYTES: '1000' })
    const bot = await program(server, 'a', 'one\n\ntwo')
    const ann = await windows.open(server.url, { expectsNetworkFailures: true })
    await ann.goTo('a')
    await ann.text.getByText('one').click()
    await ann.moveBetween('one', '', ['End'])
    await give(ann, 'paste', 'A cat.png', 'image/png')
    const images = ann.text.locator('img[src*="/uploads/"]')
    await images.first().waitFor()
    // The caret is where it was.
    await ann.keyboard.type('!')
    await give(ann, 'drop', 'image.png', 'image/png', `${PNG.slice(0, -8)}AAAA`)
    await eventually('two images', async () => (await images.count()) === 2)
    await ann.text.getByText('two').click()
    await ann.moveBetween('two', '', ['End'])
    await ann.keyboard.press('Enter')
    await ann.keyboard.type('/image')
    await ann.keyboard.press('Enter')
    await ann.page.getByTestId('image-files').setInputFiles({
      name: 'dog.png',
      mimeType: 'image/png',
      buffer: Buffer.from(PNG, 'base64'),
    })
    await eventually('three images', async () => (await images.count()) === 3)
    await ann.shows('saved')
    const address = /!\[[^\]]*\]\(\/api\/v1\/documents\/a\/uploads\/[0-9a-f]{64}\.png\)/g
    await eventually('all at the bot', () => toMarkdown(bot).match(address)?.length === 3)
    expect(toMarkdown(bot).replace(address, image => image.replace(/\(.*\)/, ''))).toBe(
      'one!\n\n![A cat]\n\ntwo\n\n![dog]\n\n<!-- -->\n\n![]\n',
    )
    const bo = await windows.open(server.url, { expectsNetworkFailures: true })
    await bo.goTo('a')
    await eventually('Bo to see it', () =>
      bo.text.getByAltText('A cat').evaluate(image => (image as HTMLImageElement).naturalWidth === 1),
    )
    expect(await ann.page.getByTestId('uploads').locator('.upload').count()).toBe(0)

    const says = (text: string) => ann.page.getByTestId('uploads').getByText(text).waitFor()
    const dismiss = () => ann.page.getByRole('button', { name: 'Dismiss' }).click()
    await give(ann, 'paste', 'drawing.svg', 'image/svg+xml')
    await says('SVG drawings can’t be put into the text, for they may hold programs.')
    await dismiss()
    await give(ann, 'paste', 'lie.png', 'image/png', btoa('<svg>'))
    await says('This is not an image that can be shown')
    await dismiss()
    await give(ann, 'paste', 'large.png', 'image/png', btoa('x'.repeat(1001)))
    await says('It is too large: at most 1,000 bytes.')
    await dismiss()
    // What it says when there is no server, and how it goes on.
    await server.kill()
    await ann.shows('offline')
    await give(ann, 'paste', 'later.png', 'image/png')
    await says('You are offline. An image can be put in when you are online again.')
    await server.start()
    await ann.shows('saved')
    await ann.page.getByRole('button', { name: 'Try again' }).click()
    await eventually('four images', async () => (await images.count()) === 4)
    await ann.shows('saved')
  })
})
