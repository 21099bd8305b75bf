#!/usr/bin/env node
// A price ticker: writes prices into a table of the document, 20 times a second, while people write around it. Only the cells
// whose price changed are touched, so that carets and texts of others stay.
//
//     node packages/client/examples/ticker.mjs ws://127.0.0.1:9091/examples/live
//
// What it costs: a write is one small update for everybody. In the log, compaction leaves of it what Yjs must remember of
// deleted text, about 19 bytes: at 20 writes a second that would be 33 MB a day, for ever. So every five minutes the cells
// get new paragraphs: what was written in the old ones goes as a whole, and what stays of all of it is about 200 bytes
// (measured for a table of six rows): 60 kB a day.

import { argv } from 'node:process'
import { pathToFileURL } from 'node:url'
import { connect } from '@weft/client'
import { append, fragmentOf } from '@weft/client/text'
import * as Y from 'yjs'

const HEAD = ['Share', 'Price', 'Change']
/** Ticks for which a bot waits before it makes the table: another one may be making it, and not be heard yet. */
const PATIENCE = 20
const SHARES = { WEFT: 120, LOOM: 84.5, YARN: 17.25, WOOL: 230, SILK: 1_450, FLAX: 3.1 }

/**
 * @param {string} url the document: `ws://host:9091/team/notes`
 * @param {object} [options]
 * @param {number} [options.intervalMs] between two writes
 * @param {number} [options.renewEvery] writes after which the cells get new paragraphs
 * @param {() => number} [options.random] the market
 * @returns {Promise<import('./ticker.d.mts').Ticker>}
 */
export async function runTicker(url, { intervalMs = 50, renewEvery = 6_000, random = Math.random } = {}) {
  const doc = await connect(url, { user: { name: 'Price bot', color: '#b45309' }, awareness: { bot: 'ticker' } })
  const fragment = fragmentOf(doc)
  const symbols = Object.keys(SHARES)
  const prices = { ...SHARES }
  let writes = 0
  let waited = 0

  function tick() {
    // What is written without a connection would be old when it arrives. And of several bots one writes.
    if (doc.status !== 'synced' || !isFirstBot()) return
    if (writes === 0 && findRows(fragment) === null) {
      if (++waited < PATIENCE) return
      append(doc, fragment.length === 0 ? firstText() : tableMarkdown())
    }
    const symbol = symbols[Math.floor(random() * symbols.length)]
    prices[symbol] = Math.max(0.01, prices[symbol] * (1 + (random() - 0.5) / 100))
    writes++
    doc.ydoc.transact(() => {
      // Without a table (somebody has deleted it) there is nothing to write, until it is back.
      const rows = findRows(fragment) ?? new Map()
      const cells = rows.get(symbol)
      if (cells !== undefined) write(cells, symbol)
      if (writes % renewEvery === 0) for (const [name, others] of rows) if (name in SHARES) write(others, name, true)
    })
  }

  function write([price, change], symbol, isNew = false) {
    const percent = (prices[symbol] / SHARES[symbol] - 1) * 100
    setText(price, prices[symbol].toFixed(2), isNew)
    setText(change, `${percent < 0 ? '−' : '+'}${Math.abs(percent).toFixed(2)} %`, isNew)
  }

  function isFirstBot() {
    const states = [...doc.awareness.getStates()]
    return doc.ydoc.clientID === Math.min(...states.filter(([, { bot }]) => bot === 'ticker').map(([id]) => id))
  }

  const timer = setInterval(tick, intervalMs)
  return {
    doc,
    get writes() {
      return writes
    },
    async stop() {
      clearInterval(timer)
      await doc.close()
    },
  }
}

const firstText = () => `# The market today\n\nWrite here, while the prices change.\n\n${tableMarkdown()}\n\nAnd here.`

function tableMarkdown() {
  const rows = Object.entries(SHARES).map(([symbol, price]) => `| ${symbol} | ${price.toFixed(2)} | +0.00 % |`)
  return [`| ${HEAD.join(' | ')} |`, '| --- | ---: | ---: |', ...rows].join('\n')
}

/**
 * The rows of the first table with our head: of each the cells behind the first one, by the text of the first one. Found
 * anew each time, because people move rows, and add some.
 * @returns {Map<string, Y.XmlElement[]> | null}
 */
function findRows(parent) {
  for (const child of elementsOf(parent)) {
    if (child.nodeName !== 'table') {
      const found = findRows(child)
      if (found !== null) return found
      continue
    }
    const rows = elementsOf(child).map(elementsOf)
    const [head = []] = rows
    if (!HEAD.every((title, index) => head[index] !== undefined && textIn(head[index]) === title)) continue
    return new Map(rows.filter(row => row.length >= HEAD.length).map(([first, ...rest]) => [textIn(first), rest]))
  }
  return null
}

const elementsOf = parent => parent.toArray().filter(child => child instanceof Y.XmlElement)

/** The text of a cell that holds one paragraph. */
function textIn(cell) {
  const text = cell.firstChild instanceof Y.XmlElement ? cell.firstChild.firstChild : null
  return text instanceof Y.XmlText ? text.toString() : ''
}

/** Makes a cell say something. @param {boolean} isNew in a new paragraph: the old one goes with all that was in it */
function setText(cell, string, isNew) {
  const paragraph = cell.firstChild
  const text = paragraph instanceof Y.XmlElement ? paragraph.firstChild : null
  if (!isNew && cell.length === 1 && paragraph.length === 1 && text instanceof Y.XmlText) {
    if (text.toString() === string) return
    text.delete(0, text.length)
    text.insert(0, string, {})
    return
  }
  const fresh = new Y.XmlElement('paragraph')
  fresh.insert(0, [new Y.XmlText(string)])
  cell.delete(0, cell.length)
  cell.insert(0, [fresh])
}

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) {
  const ticker = await runTicker(argv[2] ?? 'ws://127.0.0.1:9091/examples/live')
  console.log(`writing prices into ${ticker.doc.documentId} (Ctrl+C ends it)`)
  const fail = error => {
    console.error(error.message)
    process.exit(1)
  }
  ticker.doc.on('refused', fail)
  process.once('SIGINT', () => void ticker.stop().catch(fail))
}
