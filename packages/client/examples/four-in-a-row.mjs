// Four in a row, on a Y.Map: two play, everybody watches. No server and no player decides what counts: each replica reads the
// game from the map and checks every move, so a cheat's move counts for nobody.
//
// A move is kept under itself and the moves before it: `<game> 3344` is column 4, played after 3, 3 and 4. The value is its
// signature by the player whose turn it was. So nobody can play for another, twice, or out of turn, and no move can be changed.
// Of two moves of one player at the same moment (in two windows) the one counts that the other player has answered, or, before
// that, the one further left: the same one everywhere. Of two who take a seat at the same moment, Yjs lets one sit.
// (Whoever may write may also delete: a vandal can clear the table, as anybody can, but not win.)

import { hasSigned } from './signedPlayer.mjs'

export { createPlayer } from './signedPlayer.mjs'

const COLUMNS = [0, 1, 2, 3, 4, 5, 6]
const ROWS = 6
const COLOURS = ['red', 'yellow']
/** How a line goes on: columns to the right, rows up. */
const LINES = [
  [1, 0],
  [0, 1],
  [1, 1],
  [1, -1],
]

/** Whether a piece in this column makes four. @param {number[][]} board of each column its colours, from below */
export function wins(board, column, colour) {
  const row = board[column].length
  return LINES.some(([right, up]) => {
    let length = 1
    for (const way of [1, -1]) {
      for (let i = 1; board[column + way * i * right]?.[row + way * i * up] === colour; i++) length++
    }
    return length >= 4
  })
}

/** The game of a document, as one client plays or watches it. */
export class Game {
  #map
  #player
  #changed
  /** This player's moves: put back once, should somebody delete them. */
  #mine = new Map()
  #reading = Promise.resolve()
  #observer = () => this.#readAgain()

  /**
   * @param {import('@weft/client').WeftDocument} doc
   * @param {import('./four-in-a-row.d.mts').Player} player
   * @param {(state: import('./four-in-a-row.d.mts').State) => void} changed called with the game as it stands, now and after
   *   each change
   */
  constructor(doc, player, changed) {
    this.#map = doc.ydoc.getMap('four in a row')
    this.#player = player
    this.#changed = changed
    this.#map.observe(this.#observer)
    this.#readAgain()
  }

  /** The game as it stands: the moves that count. */
  async read() {
    const id = String(this.#map.get('game') ?? '')
    const players = COLOURS.map(colour => this.#map.get(`${id} ${colour}`) ?? null)
    const board = COLUMNS.map(() => [])
    let moves = ''
    let winner = null
    while (winner === null) {
      const colour = moves.length % 2
      const column = await this.#moveAfter(id, moves, players, board)
      if (column === undefined) break
      if (wins(board, column, colour)) winner = colour
      board[column].push(colour)
      moves += column
    }
    const isOver = winner !== null || moves.length === COLUMNS.length * ROWS
    const seat = players.indexOf(this.#player.id)
    return { id, players, board, moves, winner, isOver, seat, isMyTurn: !isOver && seat === moves.length % 2 }
  }

  /** The move that counts after others; undefined where there is none. */
  async #moveAfter(id, moves, players, board) {
    const played = await this.#signed(id, moves, players)
    const legal = played.filter(column => board[column].length < ROWS)
    if (legal.length < 2) return legal[0]
    for (const column of legal) if ((await this.#signed(id, moves + column, players)).length > 0) return column
    return legal[0]
  }

  /** The columns that the player whose turn it is has signed after these moves. */
  async #signed(id, moves, players) {
    const columns = []
    for (const column of COLUMNS) {
      if (await this.#isSigned(players[moves.length % 2], `${id} ${moves}${column}`)) columns.push(column)
    }
    return columns
  }

  // What was written over this player's move, or is just being put back by another reading, is looked at once more.
  async #isSigned(player, key) {
    for (;;) {
      const value = this.#map.get(key)
      if (await hasSigned(player, key, value)) return true
      if (this.#mine.has(key)) {
        this.#map.set(key, this.#mine.get(key))
        this.#mine.delete(key)
      } else if (this.#map.get(key) === value) return false
    }
  }

  /** Takes a free seat: 0 (red, begins) or 1 (yellow). */
  async sit(seat) {
    const { id, players } = await this.read()
    if (players[seat] === null && !players.includes(this.#player.id)) {
      this.#map.set(`${id} ${COLOURS[seat]}`, this.#player.id)
    }
  }

  /** Drops a piece. Nothing happens where it isn't this player's turn, or the column is full. */
  async play(column) {
    const { id, board, moves, isMyTurn } = await this.read()
    if (!isMyTurn || !(board[column]?.length < ROWS)) return
    const key = `${id} ${moves}${column}`
    const signature = await this.#player.sign(key)
    this.#map.set(key, signature)
    this.#mine.set(key, signature)
  }

  /** Clears the table, for everybody. */
  restart() {
    this.#map.doc.transact(() => {
      for (const key of [...this.#map.keys()]) this.#map.delete(key)
      this.#map.set('game', Math.random().toString(36).slice(2, 10))
    })
  }

  stop() {
    this.#map.unobserve(this.#observer)
    this.#changed = () => {}
  }

  // One after the other: what is told is never older than what was told before.
  #readAgain() {
    this.#reading = this.#reading.then(() => this.read()).then(state => this.#changed(state))
  }
}
