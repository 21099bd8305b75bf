import { connect } from '@weft/client'
import { append, textOf } from '@weft/client/text'
import { expect, it, onTestFinished } from 'vitest'
import { browserWindows } from '../support/browserWindows.ts'
import type { EditorWindow } from '../support/EditorWindow.ts'
import { program } from '../support/editing.ts'
import { eventually } from '../support/eventually.ts'
import { testServer } from '../support/testServer.ts'
import { asksForTokens, tokenFor } from '../support/tokens.ts'

const windows = browserWindows()
const kB = 1024
const limits = { WEFT_WARN_DOCUMENT_BYTES: `${16 * kB}`, WEFT_MAX_DOCUMENT_BYTES: `${64 * kB}` }

/** Paragraphs of so many kB in all, none of more than 5. */
const paragraphs = (size: number): string =>
  Array.from({ length: Math.ceil(size / 5) }, (_, i) => 'word '.repeat((Math.min(5, size - 5 * i) * kB) / 5)).join(
    '\n\n',
  )

const note = (window: EditorWindow, id: 'large' | 'full' | 'reader') => window.page.getByTestId(id)

it('[threat D3] says that a document is large, then that it is full, and lets who may write make room', async () => {
  const server = await testServer(limits)
  const bot = await program(server, 'a', 'Hello')
  const ann = await windows.open(server.url)
  await ann.goTo('a')
  await ann.shows('saved')
  expect(await note(ann, 'large').count()).toBe(0)
  append(bot, paragraphs(20))
  await bot.saved()
  await note(ann, 'large')
    .getByText(/^This document is large: \d+ kB of the 64 kB that it may have\./)
    .waitFor()
  await ann.shows('saved')
  await note(ann, 'large').getByRole('button', { name: 'Dismiss' }).click()
  await note(ann, 'large').waitFor({ state: 'detached' })

  // Nearly full, and one edit too many: from then on only what deletes is taken.
  append(bot, paragraphs(41))
  await bot.saved()
  append(bot, paragraphs(5))
  await note(ann, 'full').getByText('The document is at its size limit (64 kB).').waitFor()
  // The server tells everybody that it can only be read; who may write may still make room.
  expect(await note(ann, 'reader').count()).toBe(0)
  expect(await ann.text.getAttribute('contenteditable')).toBe('true')
  await ann.shows('saved')
  // What it has too much would take the room.
  await bot.close({ saved: false })
  await ann.text.locator('p').nth(1).click({ clickCount: 3 })
  await ann.keyboard.press('Delete')
  await note(ann, 'full').waitFor({ state: 'detached' })
  await ann.shows('saved')
  await ann.keyboard.type('room again')
  const late = await program(server)
  await eventually('it to be stored', () => textOf(late).includes('room again'))
  await ann.shows('saved')
})

it('says to who may only read a full document that, and no more', async () => {
  const server = await testServer({ ...limits, ...asksForTokens })
  const bot = await connect(`${server.socketUrl}/a`, { token: await tokenFor('editor', { sub: 'bo' }) })
  onTestFinished(() => bot.close({ saved: false }))
  append(bot, paragraphs(61))
  await bot.saved()
  append(bot, paragraphs(5))
  await eventually('the document to be full', () => bot.size?.state === 'full')
  const vi = await windows.open(server.url)
  await vi.page.goto(`${server.url}/d/a#token=${await tokenFor('viewer', { sub: 'vi' })}`)
  await vi.shows('reading')
  await note(vi, 'reader').waitFor()
  expect([await note(vi, 'full').count(), await vi.text.getAttribute('contenteditable')]).toEqual([0, 'false'])
  const ann = await windows.open(server.url)
  await ann.page.goto(`${server.url}/d/a#token=${await tokenFor('editor')}`)
  await note(ann, 'full').waitFor()
  expect(await ann.text.getAttribute('contenteditable')).toBe('true')
})
