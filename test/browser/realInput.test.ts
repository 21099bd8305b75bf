import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect, type WeftDocument } from '@weft/client'
import { append, fragmentOf, insertAfterHeading, replaceText, textOf, toJSON } from '@weft/client/text'
import { expect, it, onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { Random } from '../crdt/Random.ts'
import { rounds } from '../rounds.ts'
import { browserWindows } from '../support/browserWindows.ts'
import type { EditorWindow, Held, PageEditor } from '../support/EditorWindow.ts'
import { eventually } from '../support/eventually.ts'
import { LinkProxy } from '../support/LinkProxy.ts'
import type { ServerProcess } from '../support/ServerProcess.ts'
import { type StockClient, stockClient } from '../support/stockClient.ts'
import { documentOf, readStored } from '../support/storedDocument.ts'
import { eagerCompaction, testServer } from '../support/testServer.ts'

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

/** What each of the four does in one round. */
const ACTIONS = 30
const KILLS = 2

/** One person writes in each. */
const browsers = { A: browserWindows('chromium'), B: browserWindows('firefox') }

/** Counts what everybody does: moments are told by it, so that faults come in the middle of the work, fast or slow. */
class Progress {
  #count = 0
  #waiting: { at: number; resolve: () => void }[] = []

  step(): void {
    this.#count++
    for (const { at, resolve } of this.#waiting) if (at <= this.#count) resolve()
    this.#waiting = this.#waiting.filter(({ at }) => at > this.#count)
  }

  reached(at: number): Promise<void> {
    return new Promise(resolve => {
      if (at <= this.#count) resolve()
      else this.#waiting.push({ at, resolve })
    })
  }
}

/** Letters and digits only: nothing that Markdown shortcuts or the slash menu would take up. */
function word(random: Random): string {
  return Array.from({ length: 2 + random.below(6) }, () => random.pick([...'abcdefghijkmnpqrstuvwxyz23456789'])).join(
    '',
  )
}

/** How a block begins that belongs to one of the windows. */
function ownLine(name: string, index: number): string {
  return `${name}${index}x`
}

/** Somebody at a keyboard, in a window whose network goes through a link of its own. */
class Person {
  readonly name: string
  readonly window: EditorWindow
  readonly link: LinkProxy
  readonly #random: Random
  /** Every character, in the order of typing. */
  typed = ''
  /** What stands in the blocks that nobody else touches. */
  readonly own: string[]

  constructor(name: string, window: EditorWindow, link: LinkProxy, random: Random) {
    this.name = name
    this.window = window
    this.link = link
    this.#random = random
    this.own = [ownLine(name, 0)]
  }

  async act(): Promise<void> {
    const random = this.#random
    if (random.chance(0.5)) {
      await this.#clickInto({ kind: 'shared', block: random.next(), at: random.next() })
      await this.#keys(word(random))
      return
    }
    const isNewLine = random.chance(0.3)
    await this.#clickInto({ kind: 'own', text: this.own.at(-1) ?? '' })
    await eventually(`${this.name} to have the caret at the end`, async () => {
      await this.window.keyboard.press('End')
      return this.window.page.evaluate(isCaretAtEnd)
    })
    if (isNewLine) {
      await this.window.keyboard.press('Enter')
      this.own.push('')
    }
    const text = (isNewLine ? ownLine(this.name, this.own.length) : '') + word(random)
    await this.#keys(text)
    this.own.push((this.own.pop() ?? '') + text)
  }

  async #keys(text: string): Promise<void> {
    await this.window.keyboard.type(text)
    this.typed += text
  }

  /** Clicks where a caret can stand, and sees to it that the keyboard then writes into the text. */
  async #clickInto(place: Place): Promise<void> {
    // Menus at the last selection could stand where the click goes.
    await this.window.keyboard.press('Escape')
    await eventually(`${this.name} to have the caret ${JSON.stringify(place)}`, async () => {
      const point = await this.window.page.evaluate(findPoint, place)
      if (point === null) return false
      await this.window.page.mouse.click(point.x, point.y)
      return this.window.page.evaluate(isCaretIn, place)
    })
  }
}

type Place =
  /** Anywhere in a block that came with the document. */
  | { kind: 'shared'; block: number; at: number }
  /** The block with this text. */
  | { kind: 'own'; text: string }

/**
 * Runs in the page. A menu that comes up where a click is about to go takes none: a person would see that it is no text,
 * and would not delete a table with it.
 */
function takeClicksInTextOnly(): void {
  for (const type of ['pointerdown', 'mousedown', 'pointerup', 'mouseup', 'click']) {
    window.addEventListener(
      type,
      event => {
        if (event.target instanceof Element && event.target.closest('.text-host') !== null) return
        event.preventDefault()
        event.stopImmediatePropagation()
      },
      { capture: true },
    )
  }
}

/** Runs in the page. Scrolls there. @returns null: something else is there at the moment */
function findPoint(place: Place): { x: number; y: number } | null {
  const { editor } = document.querySelector('[data-testid="editor"]') as unknown as { editor: PageEditor }
  const { doc } = editor.state
  const host = document.querySelector<HTMLElement>('.text-host')
  if (host === null) return null
  const reach = (x: number, y: number) => {
    const hit = document.elementFromPoint(x, y)
    return hit !== null && host.contains(hit) && hit.closest('.caret-name, label, input') === null ? { x, y } : null
  }
  const blocks: { position: number; text: string }[] = []
  doc.descendants((node, position) => {
    if (node.isTextblock) blocks.push({ position, text: node.textContent })
    return !node.isTextblock
  })
  const shared = blocks.filter(({ text }) => text.length > 1 && !/^[AB]\d|⟨/.test(text))
  const block =
    place.kind === 'own'
      ? blocks.find(({ text }) => text === place.text)
      : shared[Math.floor(place.block * shared.length)]
  if (block === undefined) return null
  const at = place.kind === 'own' ? block.text.length : Math.floor(place.at * block.text.length)
  const position = Math.min(block.position + 1 + at, doc.content.size)
  const { node } = editor.view.domAtPos(position)
  const element = node instanceof Element ? node : node.parentElement
  element?.scrollIntoView({ block: 'center', behavior: 'instant' })
  const { left, top, bottom } = editor.view.coordsAtPos(position)
  return reach(left, (top + bottom) / 2)
}

/** Runs in the page. */
function isCaretIn(place: Place): boolean {
  const { editor } = document.querySelector('[data-testid="editor"]') as unknown as { editor: PageEditor }
  const { selection, doc } = editor.state
  if (!editor.view.hasFocus() || !selection.empty) return false
  // What is typed goes to the browser's caret. The editor hears of a click a moment later, and the text may have moved under it.
  const { anchorNode, anchorOffset } = getSelection() ?? { anchorNode: null, anchorOffset: 0 }
  if (anchorNode === null || editor.view.posAtDOM(anchorNode, anchorOffset) !== selection.head) return false
  let text: string | null = null
  doc.descendants((node, position) => {
    const isHere = position < selection.head && selection.head <= position + 1 + node.content.size
    if (node.isTextblock && isHere) text = node.textContent
    return !node.isTextblock
  })
  if (place.kind === 'own') return text === place.text
  return text !== null && !/^[AB]\d|⟨/.test(text)
}

/** Runs in the page. */
function isCaretAtEnd(): boolean {
  const { editor } = document.querySelector('[data-testid="editor"]') as unknown as { editor: PageEditor }
  const { selection, doc } = editor.state
  const { anchorNode, anchorOffset } = getSelection() ?? { anchorNode: null, anchorOffset: 0 }
  if (anchorNode === null || editor.view.posAtDOM(anchorNode, anchorOffset) !== selection.head) return false
  const block = doc.resolve(selection.head)
  return selection.empty && block.parentOffset === block.parent.content.size
}

/** A program with the client's text helpers. */
class Bot {
  readonly doc: WeftDocument
  readonly #random: Random
  /** Who wrote what was there first. */
  readonly #importerID: number
  readonly tokens: string[] = []
  /** Characters of the first content that it replaced. */
  replaced = 0
  #words: string[]

  constructor(doc: WeftDocument, random: Random, importerID: number) {
    this.doc = doc
    this.#random = random
    this.#importerID = importerID
    this.#words = [...new Set(textOf(doc).match(/\p{L}{6,}/gu) ?? [])]
  }

  act(): void {
    const random = this.#random
    const token = `⟨b${this.tokens.length}⟩`
    const kind = random.below(3)
    if (kind === 0) append(this.doc, random.pick([token, `- ${token}\n- [link](https://example.org/)`, `> ${token}`]))
    else if (kind === 1) {
      const headings = (toJSON(this.doc).content as { type: string; content?: { text?: string }[] }[])
        .filter(({ type, content }) => type === 'heading' && content !== undefined)
        .map(({ content }) => (content ?? []).map(({ text }) => text ?? '').join(''))
      insertAfterHeading(this.doc, random.pick(headings), `**${token}**`)
    } else {
      // A word that stands as it came; those that somebody types into are left alone, also where the letters that were
      // typed make the same word again.
      const text = textOf(this.doc)
      const first = firstTextOf(this.doc.ydoc, this.#importerID)
      const left = this.#words.filter(candidate => text.includes(candidate) && first(candidate))
      const target = random.pick(left)
      this.#words = left.filter(candidate => !candidate.includes(target) && !target.includes(candidate))
      replaceText(this.doc, target, token)
      this.replaced += target.length
    }
    this.tokens.push(token)
  }
}

/** Tells whether the first occurrence of a word was written by one client alone. */
function firstTextOf(ydoc: Y.Doc, clientID: number): (word: string) => boolean {
  const texts = [...fragmentOf({ ydoc }).createTreeWalker(type => type instanceof Y.XmlText)] as Y.XmlText[]
  const blocks = texts.map(text => {
    let all = ''
    let own = ''
    for (let item = text._start; item !== null; item = item.right) {
      if (item.deleted || !(item.content instanceof Y.ContentString)) continue
      all += item.content.str
      own += item.id.client === clientID ? item.content.str : '\u0000'.repeat(item.content.str.length)
    }
    return { all, own }
  })
  return word => {
    const block = blocks.find(({ all }) => all.includes(word))
    return block?.own.startsWith(word, block.all.indexOf(word)) === true
  }
}

/** A program that knows nothing of us: a stock y-websocket client that edits the XML. */
class Plain {
  readonly client: StockClient
  readonly #random: Random
  readonly tokens: string[] = []
  #paragraphs: { element: Y.XmlElement; token: string }[] = []
  #count = 0

  constructor(client: StockClient, random: Random) {
    this.client = client
    this.#random = random
  }

  act(): void {
    const random = this.#random
    const fragment = fragmentOf({ ydoc: this.client.doc })
    const token = `⟨p${this.#count++}⟩`
    const kind = random.below(5)
    if (kind === 0 && this.#paragraphs.length > 0) {
      const { element, token: gone } = random.pick(this.#paragraphs)
      fragment.delete(fragment.toArray().indexOf(element), 1)
      this.#paragraphs = this.#paragraphs.filter(paragraph => paragraph.element !== element)
      this.tokens.splice(this.tokens.indexOf(gone), 1)
      return
    }
    if (kind <= 2) {
      const element = new Y.XmlElement('paragraph')
      element.insert(0, [new Y.XmlText(token)])
      fragment.insert(random.below(fragment.length + 1), [element])
      this.#paragraphs.push({ element, token })
    } else {
      const texts = [...fragment.createTreeWalker(type => type instanceof Y.XmlText)] as Y.XmlText[]
      const shared = texts.filter(text => text.length > 1 && !/^[AB]\d|⟨/.test(plainTextOf(text)))
      const text = random.pick(shared)
      text.insert(random.below(text.length), token)
    }
    this.tokens.push(token)
  }
}

function plainTextOf(text: Y.XmlText): string {
  return (text.toDelta() as { insert: unknown }[]).map(({ insert }) => String(insert)).join('')
}

/** What one replica wrote and nobody deleted, in the order of writing. */
function writtenBy(doc: Y.Doc, clientID: number): string {
  return (doc.store.clients.get(clientID) ?? [])
    .filter((struct): struct is Y.Item => struct instanceof Y.Item && !struct.deleted)
    .map(({ content }) => (content instanceof Y.ContentString ? content.str : ''))
    .join('')
}

function heldBy(ydoc: Y.Doc): Held {
  return { json: toJSON({ ydoc }), xml: fragmentOf({ ydoc }).toString() }
}

async function open(server: ServerProcess, documentId: string): Promise<WeftDocument> {
  const document = await connect(`${server.socketUrl}/${documentId}`)
  onTestFinished(() => document.close({ saved: false }))
  return document
}

/** The window's network is gone for a while, told by the browser, or as when a cable is cut, or without a word. */
async function loseNetwork(person: Person, random: Random): Promise<() => Promise<void>> {
  const { window, link } = person
  const how = random.pick(['browser', 'cut', 'silence'] as const)
  if (how === 'browser') {
    await window.context.setOffline(true)
    return () => window.context.setOffline(false)
  }
  if (how === 'cut') {
    link.refuse(true)
    link.cut()
    return async () => link.refuse(false)
  }
  link.stall('toServer')
  link.stall('toClient')
  return async () => {
    link.cut()
    link.release('toServer')
    link.release('toClient')
  }
}

async function playRound(server: ServerProcess, people: Person[], documentId: string, random: Random): Promise<void> {
  const botDoc = await open(server, documentId)
  append(botDoc, README)
  append(botDoc, people.map(({ own }) => own.join()).join('\n\n'))
  await botDoc.saved()
  const firstLength = writtenBy(botDoc.ydoc, botDoc.ydoc.clientID).length
  const importerID = botDoc.ydoc.clientID
  const bot = new Bot(await open(server, documentId), random, importerID)
  await botDoc.close()
  const plain = new Plain(stockClient(3, server.socketUrl, documentId), random)
  onTestFinished(() => plain.client.destroy())
  await plain.client.synced()
  for (const { window } of people) {
    await window.goTo(documentId)
    await window.shows('saved')
    await window.page.evaluate(takeClicksInTextOnly)
  }

  const progress = new Progress()
  const total = ACTIONS * 4
  const each = async (act: () => Promise<void> | void, turn: () => Promise<void>) => {
    for (let i = 0; i < ACTIONS; i++) {
      await turn()
      await act()
      progress.step()
    }
  }
  // Programs are much faster than people: they keep to the people's pace, so that all four write to the end.
  const pace = new Progress()
  let programTurns = 0
  const faults = async () => {
    const kills = Array.from({ length: KILLS }, (_, i) => Math.floor(((i + random.next() * 0.6) / KILLS) * total))
    for (const at of kills) {
      await progress.reached(at)
      await server.kill()
      await progress.reached(at + 1 + random.below(8))
      await server.start()
    }
  }
  const leave = async () => {
    const person = random.pick(people)
    const at = Math.floor(total * random.next() * 0.6)
    await progress.reached(at)
    const comeBack = await loseNetwork(person, random)
    await progress.reached(at + 5 + random.below(40))
    await comeBack()
  }
  await Promise.all([
    ...people.map(person =>
      each(
        async () => {
          await person.act()
          pace.step()
        },
        async () => {},
      ),
    ),
    each(
      () => bot.act(),
      () => pace.reached(++programTurns),
    ),
    each(
      () => plain.act(),
      () => pace.reached(++programTurns),
    ),
    faults(),
    leave(),
  ])

  for (const { window } of people) await window.shows('saved')
  await bot.doc.saved()
  // What they said to be saved is there for somebody new; what the plain client wrote comes, but nobody tells it when.
  const fresh = await open(server, documentId)
  for (const { name, window, typed } of people) {
    expect(writtenBy(fresh.ydoc, await window.clientID()), `what ${name} typed`).toBe(typed)
  }
  const botWrote = writtenBy(fresh.ydoc, bot.doc.ydoc.clientID)
  for (const token of bot.tokens) expect(botWrote).toContain(token)
  await eventually('all to hold the same', async () => {
    const expected = fragmentOf(fresh).toString()
    const held = [fragmentOf(bot.doc).toString(), fragmentOf({ ydoc: plain.client.doc }).toString()]
    for (const { window } of people) held.push((await window.held()).xml)
    return held.every(xml => xml === expected)
  }).catch(() => {}) // Said better by the comparison below.

  const expected = heldBy(fresh.ydoc)
  expect(heldBy(plain.client.doc), 'the plain client').toEqual(expected)
  expect(heldBy(bot.doc.ydoc), 'the bot').toEqual(expected)
  for (const { name, window, own } of people) {
    expect(await window.held(), `window ${name}`).toEqual(expected)
    const lines = await window.lines()
    for (const line of own) expect(lines).toContain(line)
    await window.shows('saved')
  }
  const plainWrote = writtenBy(fresh.ydoc, plain.client.doc.clientID)
  for (const token of plain.tokens) expect(plainWrote).toContain(token)
  // Nobody lost a character of what was there before, but for the words that the bot replaced.
  expect(writtenBy(fresh.ydoc, importerID)).toHaveLength(firstLength - bot.replaced)

  await fresh.close()
  await bot.doc.close()
  plain.client.destroy()
}

it('a Chromium, a Firefox, a bot and a plain client write through kills of the server and a lost network; nothing is lost', async () => {
  const seed = Number(process.env.WEFT_TEST_SEED ?? randomInt(2 ** 31))
  console.log(`real input: WEFT_TEST_SEED=${seed}`)
  const server = await testServer(eagerCompaction)
  const people: Person[] = []
  for (const [name, windows] of Object.entries(browsers)) {
    const link = await LinkProxy.start(server.port)
    onTestFinished(() => link.stop())
    const window = await windows.open(`http://127.0.0.1:${link.port}`, { expectsNetworkFailures: true })
    people.push(new Person(name, window, link, new Random(seed)))
  }
  const documents: string[] = []
  for (let round = 0; round < rounds.realInput; round++) {
    const random = new Random(seed + round)
    const documentId = `team/notes ${round}`
    const players = people.map(
      ({ name, window, link }, i) => new Person(name, window, link, new Random(seed + 1_000 * (i + 1) + round)),
    )
    await playRound(server, players, documentId, random)
    documents.push(documentId)
  }
  const held: Held[] = []
  for (const documentId of documents) held.push(heldBy((await open(server, documentId)).ydoc))
  await server.kill()
  for (const [i, documentId] of documents.entries()) {
    expect(heldBy(documentOf(await readStored(server.folder, documentId)))).toEqual(held[i])
  }
})
