import { append, fragmentOf, replaceText, textOf, toMarkdown } from '@weft/client/text'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { type BrowserName, browserWindows } from '../support/browserWindows.ts'
import type { EditorWindow } from '../support/EditorWindow.ts'
import { focused, has, hasFocus, link, originOf, plainClient, pressUntil, program, shows } from '../support/editing.ts'
import { eventually } from '../support/eventually.ts'
import { sharedServer, testServer } from '../support/testServer.ts'

// What browsers do differently: keys, carets, selections, focus, clipboard, storage and network.

/** The tests of one browser: a file each, so that two workers share them. */
export function describeCoEditing(browser: BrowserName): void {
  const windows = browserWindows(browser)
  const running = sharedServer()
  let documents = 0
  /** A document for one test. */
  const nextName = () => `test-${documents++}`
  /** A document with a program in it, and a window on it. */
  const botAndWindow = async (markdown = '') => {
    const server = running()
    const name = nextName()
    const bot = await program(server, name, markdown)
    const window = await windows.open(server.url)
    await window.goTo(name)
    return { bot, window }
  }

  describe('the server gone', () => {
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
      await window.page.getByText('Offline – kept on this device').first().waitFor()
      await server.start()
      await window.shows('saved')
      await has({ ydoc: plain.doc }, 'here and there')
    })

    it('shows in one tab what is written in another, and one of them is enough to bring it along', async () => {
      const server = await testServer()
      const first = await windows.open(server.url, { expectsNetworkFailures: true })
      await first.goTo('a')
      await first.type('here')
      await first.shows('saved')
      const second = await first.another()
      await second.goTo('a')
      await shows(second, ['here'])
      await server.kill()
      await second.shows('offline')
      await second.text.click()
      await second.keyboard.press('Control+End')
      await second.keyboard.type(' and in the second')
      await shows(first, ['here and in the second'])
      await second.page.close()
      await server.start()
      await first.shows('saved')
      await has(await plainClient(server).then(({ doc }) => ({ ydoc: doc })), 'here and in the second')
    })

    it('says "Offline" as soon as the browser knows, and is back without a new page', async () => {
      const server = running()
      const name = nextName()
      const bot = await program(server, name)
      const window = await windows.open(server.url, { expectsNetworkFailures: true })
      await window.goTo(name)
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
  })

  describe('people', () => {
    it('see each other’s names, carets and selections, and who has left', async () => {
      const server = running()
      const name = nextName()
      await program(server, name, 'A line that both look at')
      const ann = await windows.open(server.url)
      const bo = await windows.open(server.url)
      for (const window of [ann, bo]) await window.goTo(name)
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
      const server = running()
      const name = nextName()
      const ann = await windows.open(server.url)
      const bo = await windows.open(server.url)
      await ann.goTo(name)
      await ann.type('ann')
      await bo.goTo(name)
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
      const server = running()
      const name = nextName()
      const ann = await windows.open(server.url)
      const bo = await windows.open(server.url)
      await ann.goTo(name)
      await ann.type('ann')
      await ann.shows('saved')
      await bo.goTo(name)
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
      const { bot, window } = await botAndWindow('first\n\nsecond')
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

    it.each(['before', 'after'] as const)(
      'write, delete and break the line right %s another one’s caret',
      async side => {
        const server = running()
        const name = nextName()
        const bot = await program(server, name, 'onetwo')
        const ann = await windows.open(server.url)
        const bo = await windows.open(server.url)
        const fromStart = ['Home', 'ArrowRight', 'ArrowRight', 'ArrowRight']
        const fromEnd = ['End', 'ArrowLeft', 'ArrowLeft', 'ArrowLeft']
        for (const window of [ann, bo]) {
          await window.goTo(name)
          await window.text.click()
          await window.moveBetween('one', 'two', fromStart)
        }
        const caret = bo.page.locator('.caret')
        const isBehind = (text: string) =>
          eventually(`the caret behind ${text}`, () =>
            caret.evaluateAll((found, wanted) => found[0]?.previousSibling?.textContent === wanted, text),
          )
        await isBehind('one')
        // The browser sets its own on the side that it comes from.
        await bo.moveBetween('one', 'two', side === 'before' ? fromStart : fromEnd)
        await bo.keyboard.press('Delete')
        await has(bot, 'onewo')
        await isBehind('one')
        await bo.keyboard.type('xy')
        await has(bot, 'onexywo')
        await bo.keyboard.press('Backspace')
        await has(bot, 'onexwo')
        await bo.keyboard.press('Backspace')
        await bo.keyboard.press('Backspace')
        await has(bot, 'onwo')
        await isBehind('on')
        await bo.keyboard.press('Enter')
        await bo.keyboard.type('z')
        await has(bot, 'on\nzwo')
        await bo.moveBetween('', 'zwo', ['Home'])
        await bo.keyboard.press('Backspace')
        await has(bot, 'onzwo')
        // The other one is where their caret was.
        await shows(ann, ['onzwo'])
        await ann.keyboard.type('!')
        await eventually('what the other one types', () => textOf(bot).includes('!'))
        expect(textOf(bot)).toMatch(/^on(?:!z|z!)wo$/)
        for (const window of [ann, bo]) await shows(window, [textOf(bot)])
      },
    )

    it('keep what they chose for their next letters while others write', async () => {
      const { bot, window } = await botAndWindow('first\n\nsecond')
      await window.text.getByText('second').click()
      await window.moveBetween('second', '', ['End'])
      await window.keyboard.press('Control+b')
      replaceText(bot, 'first', 'one')
      await shows(window, ['one', 'second'])
      await window.keyboard.type(' is bold')
      await has(bot, 'one\nsecond is bold')
      await window.keyboard.press('Control+b')
      replaceText(bot, 'one', 'two')
      await shows(window, ['two', 'second is bold'])
      await window.keyboard.type(' no more')
      await has(bot, 'two\nsecond is bold no more')
      expect(toMarkdown(bot)).toBe('two\n\nsecond **is bold** no more\n')
    })

    it('write in two windows of one browser, and both are theirs', async () => {
      const server = running()
      const name = nextName()
      const first = await windows.open(server.url)
      await first.goTo(name)
      await first.type('first')
      await first.shows('saved')
      const second = await first.another()
      await second.goTo(name)
      await second.text.click()
      await second.keyboard.press('Control+End')
      await second.keyboard.type(' second')
      await second.shows('saved')
      await shows(first, ['first second'])
      await first.toFront()
      await first.keyboard.type(' and')
      await first.shows('saved')
      await shows(second, ['first and second'])
      const bot = await program(server, name)
      expect(textOf(bot)).toBe('first and second')
    })
  })

  describe('writing', () => {
    it('knows Markdown’s shortcuts', async () => {
      const { bot, window } = await botAndWindow()
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
      const server = running()
      const name = nextName()
      const window = await windows.open(server.url)
      await window.goTo(name)
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
      const server = running()
      const name = nextName()
      const bot = await program(server, name)
      const window = await windows.open(server.url)
      await window.goTo(name)
      await window.text.click()
      // A busy machine: the next frame is far away.
      await window.page.evaluate(() => {
        globalThis.requestAnimationFrame = () => 0
      })
      const src = await uploadedImage(server.url, name)
      await window.keyboard.type('/image\n')
      await window.keyboard.type(`${src}\nbelow `)
      await window.keyboard.press('Control+k')
      await window.keyboard.type('example.org\n there')
      await has(bot, 'below https://example.org there')
      await window.title.fill('Title')
      await window.keyboard.press('Enter')
      await window.keyboard.type('!')
      await has(bot, 'Title\nbelow https://example.org there!')
    })

    it('puts images and links by their address, and only safe ones', async () => {
      const server = running()
      const name = nextName()
      const bot = await program(server, name)
      const window = await windows.open(server.url)
      await window.goTo(name)
      await window.type('/image\n')
      const image = window.page.getByRole('textbox', { name: 'Address of the image' })
      await image.fill('javascript:alert(1)')
      await window.keyboard.press('Enter')
      await window.page.getByRole('alert').filter({ hasText: 'https://' }).waitFor()
      // An image of this server, so that no test asks another host.
      const src = await uploadedImage(server.url, name)
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
      const { bot, window } = await botAndWindow('some words')
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
      const { bot, window } = await botAndWindow('- [ ] write\n- [x] test')
      await window.text.locator('input[type=checkbox]').first().click()
      await eventually('the tick', () => toMarkdown(bot) === '- [x] write\n- [x] test\n')
    })

    it('cuts, copies and pastes what is formatted, and puts plain text into a code block', async () => {
      const { bot, window } = await botAndWindow('# Title\n\n- one **two**\n- three\n\n```\ncode\n```')
      await window.text.getByText('one').click()
      await window.keyboard.press('Home')
      await window.keyboard.press('Shift+End')
      await window.selects('one two')
      await window.keyboard.press('Control+c')
      await window.text.getByText('three').click()
      await window.moveBetween('three', '', ['End'])
      await window.keyboard.press('Control+v')
      await has(bot, 'Title\none two\nthreeone two\ncode')
      expect(toMarkdown(bot)).toContain('- threeone **two**\n')
      await window.text.getByText('code').click()
      await window.moveBetween('code', '', ['End'])
      await window.keyboard.press('Control+v')
      await has(bot, 'Title\none two\nthreeone two\ncodeone two')
      await window.keyboard.press('Control+a')
      await window.keyboard.press('Control+x')
      await has(bot, '')
      await window.keyboard.press('Control+v')
      await eventually('all to be back', () => toMarkdown(bot).includes('- threeone **two**\n'))
      expect(toMarkdown(bot)).toBe('# Title\n\n- one **two**\n- threeone **two**\n\n```\ncodeone two\n```\n')
    })

    it('[threat E2] takes in of a stranger’s page what the schema has, nothing that runs, and never too much at once', async () => {
      const { bot, window } = await botAndWindow('Here')
      await window.text.click()
      await window.keyboard.press('End')
      const hostile =
        '<style>p { color: red }</style><p style="color: red" onclick="hit = 1">one <b>two</b></p><script>hit = 1</script>' +
        '<iframe srcdoc="<script>parent.hit = 1</script>"></iframe><svg onload="hit = 1"></svg><img src="x:" onerror="hit = 1">' +
        '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src onerror=hit=1&gt;"></table></mtext></math>' +
        '<form action="https://elsewhere.example"><input name="attributes"><button>send</button></form>' +
        '<p><a href="javascript:hit=1">three</a> <a href="https://four.example/">four</a></p>' +
        '<table><tr><td style="text-align: center">five</td></tr></table>'
      await paste(window, hostile)
      await eventually('what was pasted', () => textOf(bot).includes('five'))
      await window.shows('saved')
      const markdown = toMarkdown(bot)
      expect(markdown).toContain('one **two**')
      expect(markdown).toContain('three [four](https://four.example/)')
      expect(markdown).toContain('| five |\n| :-: |'.replace('| five |\n', ''))
      expect(markdown).not.toMatch(/hit|javascript|onerror|iframe|svg/)
      expect(await window.page.evaluate(() => 'hit' in globalThis)).toBe(false)
      const before = textOf(bot)
      for (const [html, why] of [
        [`<p>${'x'.repeat(2 << 20)}</p>`, 'it has 2.0 MB, more than 2 MB'],
        ['<p>x</p>'.repeat(10_001), 'it has 20,002 parts, more than 20,000'],
      ] as const) {
        await window.keyboard.press('Control+a')
        await paste(window, html)
        await window.page.getByText(`Nothing was pasted: ${why}. It is still in your clipboard`).waitFor()
      }
      expect(textOf(bot)).toBe(before)
    })
  })

  describe('the keyboard', () => {
    it('has its first heading as title, which is edited in place', async () => {
      const { bot, window } = await botAndWindow('An introduction\n\n# Old *title*\n\nText')
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

    it('reaches everything, with a focus that is seen, and Escape goes back to where one was', async () => {
      const server = running()
      const name = nextName()
      await program(server, name, '# Title\n\nText')
      const window = await windows.open(server.url)
      await window.goTo(name)
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
}

async function focusIsSeen(window: EditorWindow): Promise<boolean> {
  return window.page.evaluate(() => {
    const style = getComputedStyle(document.activeElement ?? document.body)
    return (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none'
  })
}

/** What a browser does when something is pasted, with a clipboard of our own: that of the machine is everybody's. */
async function paste(window: EditorWindow, html: string): Promise<void> {
  await window.text.evaluate((text, data) => {
    const clipboardData = new DataTransfer()
    clipboardData.setData('text/html', data)
    const event = new ClipboardEvent('paste', { bubbles: true, cancelable: true })
    // Firefox doesn't take one in the constructor.
    Object.defineProperty(event, 'clipboardData', { value: clipboardData })
    text.dispatchEvent(event)
  }, html)
}

/** Puts one pixel into a document. @returns its address, as documents keep it */
async function uploadedImage(url: string, name: string): Promise<string> {
  const headers = { 'Content-Type': 'image/gif' }
  const body = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')
  const uploaded = await fetch(`${url}/api/v1/documents/${name}/uploads`, { method: 'POST', headers, body })
  return ((await uploaded.json()) as { path: string }).path
}
