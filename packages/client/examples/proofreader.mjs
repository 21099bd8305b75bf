#!/usr/bin/env node
// A proofreader: corrects what people often get wrong, once the word is finished. Only the wrong letters change, so that
// carets, formatting and what is typed at the same time stay.
//
//     node packages/client/examples/proofreader.mjs ws://127.0.0.1:9091/team/notes

import { argv } from 'node:process'
import { pathToFileURL } from 'node:url'
import { connect } from '@weft/client'
import { changes, edit } from '@weft/client/text'

const RIGHT = { teh: 'the', adn: 'and', recieve: 'receive', seperate: 'separate', definately: 'definitely' }
const WRONG = new RegExp(`(?<![\\p{L}\\p{N}_])(${Object.keys(RIGHT).join('|')})(?=[^\\p{L}\\p{N}_])`, 'gu')

/** @param {string} url @returns {Promise<import('./proofreader.d.mts').Proofreader>} */
export async function runProofreader(url) {
  const doc = await connect(url, { user: { name: 'Proofreader', color: '#7c3aed' }, awareness: { bot: 'proofreader' } })

  const bots = () => [...doc.awareness.getStates()].filter(([, { bot }]) => bot === 'proofreader').map(([id]) => id)

  async function proofread() {
    for await (const { inserted, insertedBy } of changes(doc)) {
      if (inserted === '' || insertedBy.isLocal) continue
      // Two that correct the same word would both write the letters.
      if (doc.ydoc.clientID !== Math.min(...bots())) continue
      // What comes while this waits is read as one change afterwards: it never falls behind.
      if (edit(doc, correct)) await doc.saved()
    }
  }

  const ended = proofread()
  return { doc, ended, stop: () => doc.close().then(() => ended) }
}

function correct(tr) {
  const { doc } = tr
  doc.descendants((node, position) => {
    if (!node.isTextblock || node.type.spec.code) return
    // What isn't text takes one place, here and there.
    for (const { 0: wrong, index } of node.textBetween(0, node.content.size, null, '\ufffc').matchAll(WRONG)) {
      const [from, to] = [position + 1 + index, position + 1 + index + wrong.length]
      const { marks } = doc.nodeAt(from)
      if (marks.some(({ type }) => type.spec.code)) continue
      tr.replaceWith(tr.mapping.map(from), tr.mapping.map(to), node.type.schema.text(RIGHT[wrong], marks))
    }
  })
}

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) {
  const bot = await runProofreader(argv[2] ?? 'ws://127.0.0.1:9091/welcome')
  console.log(`proofreading ${bot.doc.documentId} (Ctrl+C ends it)`)
  const fail = error => {
    console.error(error.message)
    process.exit(1)
  }
  bot.doc.on('refused', fail)
  bot.ended.catch(fail)
  process.once('SIGINT', () => void bot.stop().catch(fail))
}
