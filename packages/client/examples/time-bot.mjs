#!/usr/bin/env node
// A bot that tells the time. It joins a document, is seen there like anybody else, and answers every line that begins
// with `/time` by writing the time below it.
//
//     node packages/client/examples/time-bot.mjs ws://127.0.0.1:9091/team/notes

import { argv } from 'node:process'
import { pathToFileURL } from 'node:url'
import { connect } from '@weft/client'
import { fragmentOf } from '@weft/client/text'
import * as Y from 'yjs'

const QUESTION = /^\/time(?!\S)/

/**
 * @param {string} url the document: `ws://host:9091/team/notes`
 * @param {object} [options]
 * @param {() => Date} [options.now] the clock that it reads
 * @param {string} [options.name] how it is seen by the others
 * @param {number} [options.settleMs] how long a question must stand unchanged: `/time` may become `/timetable`
 * @returns {Promise<import('./time-bot.d.mts').TimeBot>}
 */
export async function runTimeBot(url, { now = () => new Date(), name = 'Time bot', settleMs = 300 } = {}) {
  const doc = await connect(url, { user: { name, color: '#0f766e' }, awareness: { bot: 'time' } })
  const fragment = fragmentOf(doc)
  // Which questions have an answer, and who gave it. It lives in the document, so that a second bot, or this one after a
  // restart, does not answer again, whatever people have written in between.
  const answers = doc.ydoc.getMap('time-bot')
  /** This bot's own answers, by question. @type {Map<string, Y.XmlElement>} */
  const mine = new Map()
  /** Questions that wait to settle, with their text at the last look. @type {Map<string, string>} */
  const seen = new Map()
  /** @type {NodeJS.Timeout | undefined} */
  let timer

  function look() {
    timer = undefined
    const open = new Set()
    for (const line of linesOf(fragment)) {
      const text = textOf(line)
      const id = idOf(line)
      if (!QUESTION.test(text) || answers.has(id)) continue
      open.add(id)
      if (seen.get(id) === text && isFirstBot()) answer(line, id)
      seen.set(id, text)
    }
    for (const id of seen.keys()) if (!open.has(id)) seen.delete(id)
    if (seen.size > 0) lookSoon()
  }

  function lookSoon() {
    timer ??= setTimeout(look, settleMs)
  }

  function answer(line, id) {
    const below = new Y.XmlElement('paragraph')
    below.insert(0, [new Y.XmlText(`It is ${now().toUTCString()}.`)])
    // One transaction: nobody sees the answer without the note that it was given.
    doc.ydoc.transact(() => {
      line.parent.insertAfter(line, [below])
      answers.set(id, doc.ydoc.clientID)
    })
    mine.set(id, below)
    seen.delete(id)
  }

  // Two bots that did not hear of each other in time have both answered. Yjs keeps one of the two notes, the same one
  // everywhere: the other bot takes its answer back.
  function takeBack() {
    for (const [id, below] of mine) {
      if (answers.get(id) === doc.ydoc.clientID) continue
      mine.delete(id)
      const siblings = below.parent?.toArray() ?? []
      const index = siblings.indexOf(below)
      if (index >= 0) below.parent.delete(index)
    }
  }

  // Of several bots in a document one answers; when it leaves, the next does.
  function isFirstBot() {
    const bots = [...doc.awareness.getStates()]
      .filter(([, state]) => state.bot === 'time')
      .map(([clientID]) => clientID)
    return doc.ydoc.clientID === Math.min(...bots)
  }

  fragment.observeDeep(lookSoon)
  answers.observe(takeBack)
  lookSoon()

  return {
    doc,
    async stop() {
      clearTimeout(timer)
      fragment.unobserveDeep(lookSoon)
      answers.unobserve(takeBack)
      await doc.close()
    },
  }
}

/** Every paragraph of a document, also in lists, quotes and tables. */
function* linesOf(parent) {
  for (const child of parent.toArray()) {
    if (!(child instanceof Y.XmlElement)) continue
    if (child.nodeName === 'paragraph') yield child
    else yield* linesOf(child)
  }
}

/** The text that a paragraph begins with, without its formatting. */
function textOf(line) {
  const first = line.firstChild
  if (!(first instanceof Y.XmlText)) return ''
  return first
    .toDelta()
    .map(({ insert }) => (typeof insert === 'string' ? insert : ' '))
    .join('')
}

/** What Yjs calls the paragraph: the same on every replica, for ever. */
function idOf(line) {
  const { client, clock } = line._item.id
  return `${client}:${clock}`
}

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) {
  const url = argv[2] ?? 'ws://127.0.0.1:9091/welcome'
  const bot = await runTimeBot(url)
  console.log(`in ${bot.doc.documentId}, waiting for lines that begin with /time (Ctrl+C ends it)`)
  bot.doc.on('refused', error => {
    console.error(error.message)
    process.exitCode = 1
    void bot.doc.close({ saved: false })
  })
  process.once('SIGINT', () => void bot.stop())
}
