import { connect, type WeftDocument } from '@weft/client'
import { append, textOf } from '@weft/client/text'
import { describe, expect, it, onTestFinished } from 'vitest'
import { browserWindows } from '../support/browserWindows.ts'
import type { EditorWindow } from '../support/EditorWindow.ts'
import { focused, link, originOf } from '../support/editing.ts'
import { eventually } from '../support/eventually.ts'
import type { ServerProcess } from '../support/ServerProcess.ts'
import { testServer } from '../support/testServer.ts'
import { asksForTokens, nowInSeconds, sign, tokenFor, tokenThatEnds } from '../support/tokens.ts'

const windows = browserWindows()

/** A program that may write. */
async function writer(server: ServerProcess, markdown: string): Promise<WeftDocument> {
  const document = await connect(`${server.socketUrl}/a`, { token: () => tokenFor('editor', { sub: 'bo' }) })
  onTestFinished(() => document.close({ saved: false }))
  append(document, markdown)
  await document.saved()
  return document
}

/** Follows a link to the document, with what stands behind its `#`. */
async function follow(window: EditorWindow, fragment: string): Promise<void> {
  await window.page.goto(`${window.origin}/d/a${fragment}`)
}

const refusalIn = (window: EditorWindow) => window.page.getByTestId('refused').innerText()

describe('a link with a token', () => {
  it('opens the document for writing; the token leaves the address bar, and stays in this tab', async () => {
    const server = await testServer(asksForTokens)
    const bo = await writer(server, 'Hello')
    const ann = await windows.open(server.url, { expectsNetworkFailures: true })
    await follow(ann, `#token=${await tokenFor('editor')}`)
    await ann.shows('saved')
    expect(ann.page.url()).toBe(`${server.url}/d/a`)
    await ann.type('!')
    await eventually('Bo to see it', () => textOf(bo).includes('!'))
    await ann.shows('saved')
    await ann.page.reload()
    await ann.shows('saved')
    // A cookie holds it that no script can read.
    const kept = () => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])
    expect(await ann.page.evaluate(kept)).not.toContain('eyJ')
    expect(await ann.context.cookies()).toMatchObject([{ name: 'weft', httpOnly: true, sameSite: 'Strict' }])
    // Nor is it where the back button leads.
    expect(await ann.page.evaluate(() => history.length)).toBeLessThanOrEqual(2)
    expect(await ann.page.getByTestId('reader').count()).toBe(0)
    // Her name is the token's, as the others see it.
    await ann.page.getByTestId('people').click()
    await ann.page.getByText(/^Others see you as \S.*: the name comes with your access\.$/).waitFor()
    await ann.keyboard.press('Escape')
    // Whom she sends the link to has to have a token too.
    await ann.page.getByTestId('share').click()
    await ann.page.getByText('It gives no access by itself').waitFor()
  })

  it('opens it for reading, says so, and shows what others write', async () => {
    const server = await testServer(asksForTokens)
    const bo = await writer(server, '# Plan\n\nHello')
    const vi = await windows.open(server.url)
    await follow(vi, `#token=${await tokenFor('viewer')}`)
    await vi.shows('reading')
    expect(await vi.page.getByTestId('reader').innerText()).toMatch(/^You can read this document, not change it\./)
    expect(await vi.text.getAttribute('contenteditable')).toBe('false')
    await eventually('the title to be fixed', async () => (await vi.title.getAttribute('readonly')) !== null)
    await vi.text.click()
    await vi.keyboard.type('not mine')
    await vi.keyboard.press('Enter')
    append(bo, 'More')
    await eventually('Vi to see it', async () => (await vi.lines()).join('|') === 'Plan|Hello|More')
    expect(textOf(bo)).toBe('Plan\nHello\nMore')

    // A better link, in the same tab.
    await follow(vi, `#token=${await tokenFor('editor')}`)
    await vi.shows('saved')
    await vi.page.getByTestId('reader').waitFor({ state: 'detached' })
    await vi.type('mine ')
    await eventually('Bo to see it', () => textOf(bo).includes('mine '))
    await vi.shows('saved')
  })
})

describe('a share link', () => {
  /** The owner's window, with the dialog open. */
  async function owner(server: ServerProcess): Promise<EditorWindow> {
    const ann = await windows.open(server.url, { expectsNetworkFailures: true })
    await follow(ann, `#token=${await tokenFor('owner')}`)
    await ann.shows('saved')
    await ann.page.getByTestId('share').click()
    await ann.page.getByRole('dialog', { name: 'Share this document' }).waitFor()
    return ann
  }

  async function makeLink(ann: EditorWindow, people: string): Promise<string> {
    const before = await ann.page.getByTestId('share-links').getByRole('listitem').count()
    await ann.page.getByLabel('It lets in').selectOption(people)
    await ann.page.getByTestId('make-link').click()
    await eventually(
      'the link in the list',
      async () => (await ann.page.getByTestId('share-links').getByRole('listitem').count()) === before + 1,
    )
    return ann.page.getByTestId('made-link').inputValue()
  }

  it('[threat P4] is made by an owner, lets in whoever has it, and lets nobody in when it is revoked', async () => {
    const server = await testServer(asksForTokens)
    const bo = await writer(server, 'Hello')
    const ann = await owner(server)
    const url = await makeLink(ann, 'any number of people')
    expect(url).toMatch(new RegExp(`^${server.url}/s#[\\w-]{22}$`))

    const gus = await windows.open(server.url, { expectsNetworkFailures: true })
    await gus.page.goto(url)
    await gus.page.getByTestId('guest-name').fill('Gus')
    // Nobody who looks over a shoulder, and no history, has it.
    expect(gus.page.url()).toBe(`${server.url}/s`)
    await gus.keyboard.press('Enter')
    await gus.shows('saved')
    expect(gus.page.url()).toBe(`${server.url}/d/a`)
    await gus.type('from Gus ')
    await eventually('Bo to see it', () => textOf(bo).includes('from Gus'))
    await gus.shows('saved')
    // The next visit is the same guest: no further use.
    await gus.page.reload()
    await gus.shows('saved')
    expect(await gus.page.evaluate(() => JSON.stringify([{ ...localStorage }, document.cookie]))).not.toContain('eyJ')

    // A lesser role counts at once, in place.
    const headers = { Authorization: `Bearer ${await tokenFor('owner')}`, 'Content-Type': 'application/json' }
    const listed = await fetch(`${server.url}/api/v1/links?document=a`, { headers })
    const { links } = (await listed.json()) as { links: { id: string }[] }
    const changed = `${server.url}/api/v1/links/${links[0]?.id}`
    await fetch(changed, { method: 'PATCH', headers, body: JSON.stringify({ role: 'viewer' }) })
    await gus.shows('reading')
    expect(await gus.page.getByTestId('reader').innerText()).toBe(
      'Your access was changed: you can read this document, and no longer change it. What you wrote before is saved.',
    )
    expect(await gus.text.getAttribute('contenteditable')).toBe('false')

    await ann.page.getByRole('button', { name: 'Close' }).click()
    await ann.page.getByTestId('share').click()
    const row = ann.page.getByTestId('share-links').getByRole('listitem')
    await row.getByText('used once').waitFor()
    await row.getByRole('button', { name: 'Revoke' }).click()
    await row.getByRole('button', { name: 'Revoke now' }).click()
    await gus.shows('refused')
    expect(await refusalIn(gus)).toMatch(/^Your access was taken back\. What you see is the copy on this device\./)
    expect(await gus.text.getAttribute('contenteditable')).toBe('false')
    expect(await gus.lines()).toContainEqual(expect.stringContaining('from Gus'))

    const late = await windows.open(server.url, { expectsNetworkFailures: true })
    await late.page.goto(url)
    await late.page.getByTestId('guest-name').press('Enter')
    await late.page.getByRole('heading', { name: 'This link doesn’t open anything' }).waitFor()
  })

  it('tells its links apart: when each was made and by whom, and who is here by it', async () => {
    const server = await testServer(asksForTokens)
    await writer(server, 'Hello')
    const ann = await owner(server)
    const rows = ann.page.getByTestId('share-links').getByRole('listitem')
    await makeLink(ann, 'any number of people')
    const second = await makeLink(ann, 'any number of people')
    // The newest comes first; it is the one whose address stands above.
    expect(await rows.nth(0).innerText()).toMatch(/^Can write\s*new\nMade today at .* by you\n/)
    expect(await rows.nth(1).innerText()).toMatch(/^Can write\nMade today at .* by you\nUntil .*· never opened/)
    for (const name of ['Gus', 'Hal']) {
      const guest = await windows.open(server.url, { expectsNetworkFailures: true })
      await guest.page.goto(second)
      await guest.page.getByTestId('guest-name').fill(name)
      await guest.keyboard.press('Enter')
      await guest.shows('saved')
    }
    await ann.toFront()
    await ann.keyboard.press('Escape')
    await ann.page.getByTestId('share').click()
    await rows.nth(0).getByText('Gus and Hal are here now').waitFor()
    expect(await rows.nth(1).innerText()).not.toContain('here now')

    // By keyboard: the focus goes along, and never to what can't be undone.
    await rows.nth(0).getByRole('button', { name: 'Revoke' }).press('Enter')
    expect(await focused(ann)).toBe('Keep')
    await ann.keyboard.press('Enter')
    expect(await focused(ann)).toBe('Revoke')
    await ann.keyboard.press('Enter')
    await ann.keyboard.press('Shift+Tab')
    await ann.keyboard.press('Enter')
    await eventually('one link', async () => (await rows.count()) === 1)
    expect(await focused(ann)).toBe('Links')
  })

  it('lets a guest take another name, which the others see at once, and later where the server was away', async () => {
    const server = await testServer(asksForTokens)
    await writer(server, 'Hello')
    const ann = await owner(server)
    const url = await makeLink(ann, 'any number of people')
    await ann.keyboard.press('Escape')
    const annSees = (name: string) =>
      eventually(`Ann to see ${name}`, async () => {
        await ann.page.getByTestId('people').click()
        const names = await ann.page.getByRole('dialog', { name: 'People' }).getByRole('button').allInnerTexts()
        await ann.keyboard.press('Escape')
        return names.some(text => text.endsWith(name))
      })
    const proxy = await link(server)
    const gus = await windows.open(originOf(proxy), { expectsNetworkFailures: true })
    await gus.page.goto(url.replace(server.url, originOf(proxy)))
    await gus.page.getByTestId('guest-name').press('Enter')
    await gus.shows('saved')
    // Who gives no name has none: not the id of the link.
    await annSees('Guest')
    await gus.page.getByTestId('people').click()
    expect(await gus.page.getByTestId('name-field').inputValue()).toBe('')
    await gus.page.getByTestId('name-field').fill('Gus')
    await gus.keyboard.press('Enter')
    await annSees('Gus')
    await gus.shows('saved')

    proxy.refuse(true)
    proxy.cut()
    await gus.shows('offline')
    await gus.page.getByTestId('people').click()
    await gus.page.getByTestId('name-field').fill('Gustav')
    await gus.page.getByText('Others see the new name when it is.').waitFor()
    proxy.refuse(false)
    await gus.shows('saved')
    await annSees('Gustav')
    // It is this guest's still: no further use.
    await ann.page.getByTestId('share').click()
    await ann.page.getByTestId('share-links').getByText('used once').waitFor()
  })

  it('says why it opens nothing: used up, missing a part, too many tries, no server', async () => {
    const server = await testServer(asksForTokens)
    await writer(server, 'Hello')
    const once = await makeLink(await owner(server), 'one person')
    const proxy = await link(server)
    const says = (window: EditorWindow, title: string) => window.page.getByRole('heading', { name: title }).waitFor()
    const first = await windows.open(server.url, { expectsNetworkFailures: true })
    await first.page.goto(once)
    await first.page.getByTestId('guest-name').fill('Gus')
    await first.keyboard.press('Enter')
    await first.shows('saved')
    const next = await windows.open(originOf(proxy), { expectsNetworkFailures: true })
    await next.page.goto(once.replace(server.url, originOf(proxy)))
    await next.page.getByTestId('guest-name').fill('Hal')
    await next.keyboard.press('Enter')
    await says(next, 'This link was used as often as it may be')
    await next.page.goto(`${originOf(proxy)}/s`)
    await says(next, 'This link doesn’t open anything')
    for (let i = 0; i < 10; i++) {
      const body = JSON.stringify({ secret: 'A'.repeat(22) })
      const headers = { 'Content-Type': 'application/json' }
      await fetch(`${server.url}/api/v1/links/exchange`, { method: 'POST', headers, body })
    }
    // In the same tab, on the same page: another place of it, for the browser.
    await next.page.goto(`${originOf(proxy)}/s#${'B'.repeat(22)}`)
    await says(next, 'Too many links were tried')
    expect(await next.page.getByTestId('link-failure').innerText()).toMatch(/Wait \d+ seconds?, then try again/)
    await server.kill()
    await next.page.getByRole('button', { name: 'Try again' }).click()
    await says(next, 'The server can’t be reached')
  })
})

describe('a document that can’t be had', () => {
  it('is shown to a viewer in another tab as the copy on this device, without a word of saving', async () => {
    const server = await testServer(asksForTokens)
    await writer(server, 'Hello')
    const vi = await windows.open(server.url, { viewport: { width: 390, height: 844 }, expectsNetworkFailures: true })
    await follow(vi, `#token=${await tokenFor('viewer')}`)
    await vi.shows('reading')
    expect(await vi.page.getByTestId('reader').innerText()).toBe('You can read, not write.')
    const tab = await vi.another()
    await vi.context.clearCookies()
    await tab.goTo('a')
    await tab.shows('refused')
    expect(await tab.lines()).toEqual(['Hello'])
    expect(await refusalIn(tab)).toMatch(
      /^The server doesn’t know who you are\. What you see is the copy on this device\. Open the document from the link/,
    )
    // The note says the rest.
    expect(await tab.page.getByTestId('save-state').innerText()).toBe('Not connected')
  })

  it('says in another tab too that it can’t save what no server has acknowledged', async () => {
    const server = await testServer(asksForTokens)
    await writer(server, 'Hello')
    const proxy = await link(server)
    const ann = await windows.open(originOf(proxy), { expectsNetworkFailures: true })
    await follow(ann, `#token=${await tokenFor('editor')}`)
    await ann.shows('saved')
    proxy.stall('toServer')
    await ann.type('!')
    await ann.shows('saving')
    const tab = await ann.another()
    await ann.page.close()
    proxy.release('toServer')
    await ann.context.clearCookies()
    await tab.goTo('a')
    await tab.shows('failed')
    expect(await refusalIn(tab)).toContain('Your text is kept on this device')
  })

  it('is not listed on the first page, where one without a title goes by its name', async () => {
    const server = await testServer(asksForTokens)
    const ann = await windows.open(server.url)
    await ann.page.goto(`${server.url}/d/b`)
    await ann.page.getByTestId('refused').waitFor()
    await ann.page.getByRole('link', { name: 'Back to documents' }).click()
    await ann.page.getByRole('heading', { name: 'Write together' }).waitFor()
    await follow(ann, `#token=${await tokenFor('editor')}`)
    await ann.shows('saved')
    await ann.page.getByRole('link', { name: 'Documents' }).click()
    const listed = ann.page.getByRole('list', { name: 'Documents opened on this device' }).getByRole('link')
    expect(await listed.locator('.document-title').allTextContents()).toEqual(['a'])
  })

  it('says kindly why: no token, a bad one, no right, and one that has expired', async () => {
    const server = await testServer(asksForTokens)
    const nobody = await windows.open(server.url, { expectsNetworkFailures: true })
    await follow(nobody, '')
    expect(await refusalIn(nobody)).toContain('The server doesn’t know who you are')
    expect(await nobody.page.locator('.problem .primary').innerText()).toBe('Try again')
    await follow(nobody, '#token=hello')
    await nobody.page.getByTestId('refused').waitFor()
    expect(await refusalIn(nobody)).toContain('The server doesn’t know who you are')
    const stranger = await windows.open(server.url)
    await follow(stranger, `#token=${await sign({ docs: [{ document: 'b', role: 'owner' }] })}`)
    expect(await refusalIn(stranger)).toContain('You don’t have the right to open this document')
    const late = await windows.open(server.url, { expectsNetworkFailures: true })
    await follow(late, `#token=${await tokenFor('editor', { exp: nowInSeconds() - 60 })}`)
    expect(await refusalIn(late)).toContain('Your access has expired')
  })

  it('while it is open stays readable, with what was written', async () => {
    const server = await testServer(asksForTokens)
    await writer(server, 'Hello')
    const ann = await windows.open(server.url)
    // The page is loaded when the token's time begins.
    await follow(ann, '')
    await ann.page.getByTestId('refused').waitFor()
    await follow(ann, `#token=${await tokenThatEnds('editor')}`)
    await ann.text.waitFor()
    await ann.shows('refused')
    expect(await refusalIn(ann)).toMatch(/^Your access has expired\. What you see is the copy on this device\./)
    expect(await ann.lines()).toEqual(['Hello'])
    await eventually('the title to be fixed', async () => (await ann.title.getAttribute('readonly')) !== null)
    expect(await ann.text.getAttribute('contenteditable')).toBe('false')
  })
})

it('says that nobody can write where the server has too little space, whoever opens the page when', async () => {
  const server = await testServer()
  const ann = await windows.open(server.url, { expectsNetworkFailures: true })
  await ann.goTo('a')
  await ann.type('Hello')
  await ann.shows('saved')
  await server.kill()
  server.extraEnv = { WEFT_MIN_FREE_BYTES: '100000000000000' }
  await server.start()
  for (const window of [ann, await windows.open(server.url), await ann.another()]) {
    await window.toFront()
    if (window !== ann) await window.goTo('a')
    const note = window.page.getByTestId('reader')
    await note.getByText('Nobody can write now: the server has too little space left.').waitFor()
    // Who has just come wrote nothing before.
    expect((await note.innerText()).includes('What you wrote before is saved')).toBe(window === ann)
  }
})
