#!/usr/bin/env node
// The chat beside a document, in a terminal: reads lines from the keyboard.
//
//     node packages/client/examples/chat-terminal.mjs ws://127.0.0.1:9091/examples/live Ann

import { argv, exit, stdin } from 'node:process'
import { createInterface } from 'node:readline'
import { connect } from '@weft/client'
import { openChat } from './chat.mjs'

/** So many of the last lines are shown at the start. */
const SHOWN = 20

const [url = 'ws://127.0.0.1:9091/examples/live', name = 'Terminal'] = argv.slice(2)

// A terminal obeys control characters; what others wrote must not speak to it.
const plain = text => text.replace(/\p{Cc}/gu, ' ')

const doc = await connect(url, { user: { name, color: '#0f766e' } }).catch(error => {
  console.error(error.message)
  exit(1)
})
doc.on('refused', error => {
  console.error(error.message)
  exit(1)
})
console.log(`in the chat of ${doc.documentId} as ${name} (Ctrl+D leaves)`)

let shown = 0
let typists = ''
const chat = openChat(doc, show)
shown = Math.max(0, chat.lines.length - SHOWN)
show()
for await (const line of createInterface({ input: stdin })) chat.say(line)
chat.stop()
await doc.close()

function show() {
  const { lines, typing } = chat
  for (const line of lines.slice(shown)) console.log(`${plain(line.name)}: ${plain(line.text)}`)
  shown = lines.length
  const names = typing.map(plain).join(', ')
  if (names !== '' && names !== typists) console.log(`(${names} is typing)`)
  typists = names
}
