import { connect, type WeftDocument } from '@weft/client'
import { append, fragmentOf, textOf } from '@weft/client/text'
import { expect, onTestFinished } from 'vitest'
import type * as Y from 'yjs'
import type { EditorWindow } from './EditorWindow.ts'
import { eventually } from './eventually.ts'
import { LinkProxy } from './LinkProxy.ts'
import type { ServerProcess } from './ServerProcess.ts'
import { type StockClient, stockClient } from './stockClient.ts'
import { documentOf, readStored } from './storedDocument.ts'

// What tests of the editor have in common: who else is in the document, and what is waited for.

/** A link of its own to the server. */
export async function link(server: ServerProcess): Promise<LinkProxy> {
  const proxy = await LinkProxy.start(server.port)
  onTestFinished(() => proxy.stop())
  return proxy
}

export const originOf = (proxy: LinkProxy): string => `http://127.0.0.1:${proxy.port}`

/** A program in the same document. */
export async function program(server: ServerProcess, documentId = 'a', markdown = ''): Promise<WeftDocument> {
  const document = await connect(`${server.socketUrl}/${documentId}`)
  onTestFinished(() => document.close({ saved: false }))
  if (markdown !== '') {
    append(document, markdown)
    await document.saved()
  }
  return document
}

/** A client that knows nothing of the schema. */
export async function plainClient(
  server: ServerProcess,
  documentId = 'a',
): Promise<StockClient & { fragment: Y.XmlFragment }> {
  const client = stockClient(3, server.socketUrl, documentId)
  onTestFinished(() => client.destroy())
  await client.synced()
  return { ...client, fragment: fragmentOf({ ydoc: client.doc }) }
}

/** Waits until the window shows these blocks. */
export async function shows(window: EditorWindow, lines: readonly string[]): Promise<void> {
  let seen: string[] = []
  await eventually(`the lines ${JSON.stringify(lines)}`, async () => {
    seen = await window.lines()
    return JSON.stringify(seen) === JSON.stringify(lines)
  }).catch(() => expect(seen).toEqual(lines))
}

export async function has(document: { ydoc: Y.Doc }, text: string): Promise<void> {
  await eventually(`the text ${JSON.stringify(text)}`, () => textOf(document) === text).catch(() =>
    expect(textOf(document)).toBe(text),
  )
}

/** Presses a key, a few times at most, until the window shows these blocks. */
export async function pressUntil(window: EditorWindow, key: string, lines: readonly string[]): Promise<void> {
  for (let i = 0; i < 5 && JSON.stringify(await window.lines()) !== JSON.stringify(lines); i++) {
    await window.keyboard.press(key)
  }
  expect(await window.lines()).toEqual(lines)
}

/** The text of a document in the store of a server that is killed for it. */
export async function storedText(server: ServerProcess, documentId = 'a'): Promise<string> {
  await server.kill()
  return textOf({ ydoc: documentOf(await readStored(server.folder, documentId)) })
}

/** The name of what has the focus. */
export async function focused(window: EditorWindow): Promise<string> {
  return window.page.evaluate(() => {
    const element = document.activeElement
    return element?.getAttribute('aria-label') ?? element?.textContent?.trim() ?? ''
  })
}

export async function hasFocus(window: EditorWindow, name: string): Promise<void> {
  let seen = ''
  await eventually(`the focus on ${name}`, async () => {
    seen = await focused(window)
    return seen === name
  }).catch(() => expect(seen).toBe(name))
}
