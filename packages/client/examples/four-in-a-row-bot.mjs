#!/usr/bin/env node
// Somebody to play four in a row with: takes a seat (yellow, if nothing else is said), and plays when it is its turn.
//
//     node packages/client/examples/four-in-a-row-bot.mjs ws://127.0.0.1:9091/examples/live [red]

import { argv } from 'node:process'
import { pathToFileURL } from 'node:url'
import { connect } from '@weft/client'
import { createPlayer, Game, wins } from './four-in-a-row.mjs'

/** Nearest to the middle first. */
const COLUMNS = [3, 2, 4, 1, 5, 0, 6]

/**
 * @param {string} url the document
 * @param {{ seat?: number, thinkMs?: number }} [options] seat 0 is red
 */
export async function runPlayer(url, { seat = 1, thinkMs = 600 } = {}) {
  const doc = await connect(url, { user: { name: 'Player bot', color: '#4d7c0f' } })
  let timer
  const player = await createPlayer()
  doc.awareness.setLocalStateField('player', player.id)
  const game = new Game(doc, player, state => {
    if (state.players[seat] === null) void game.sit(seat)
    clearTimeout(timer)
    if (state.isMyTurn) timer = setTimeout(() => void game.play(choose(state)), thinkMs)
    else if (state.isOver)
      console.log(state.winner === null ? 'nobody wins' : `${['red', 'yellow'][state.winner]} wins`)
  })
  return {
    doc,
    async stop() {
      game.stop()
      clearTimeout(timer)
      // Nobody else has its key: without it the game can't go on.
      if ((await game.read()).seat >= 0) game.restart()
      await doc.close()
    },
  }
}

/** Wins where it can, keeps the other from winning where it must, and otherwise plays in the middle. */
function choose({ board, seat }) {
  const free = COLUMNS.filter(column => board[column].length < 6)
  const winsFor = colour => free.find(column => wins(board, column, colour))
  return winsFor(seat) ?? winsFor(1 - seat) ?? free[0]
}

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) {
  const bot = await runPlayer(argv[2] ?? 'ws://127.0.0.1:9091/examples/live', { seat: argv[3] === 'red' ? 0 : 1 })
  console.log(`at the board of ${bot.doc.documentId} (Ctrl+C ends it)`)
  const fail = error => {
    console.error(error.message)
    process.exit(1)
  }
  bot.doc.on('refused', fail)
  process.once('SIGINT', () => void bot.stop().catch(fail))
}
