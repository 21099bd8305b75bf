// The board of `../four-in-a-row.mjs`, on a page: to play, or to watch.

import { createPlayer, Game } from '../four-in-a-row.mjs'

const COLOURS = ['Red', 'Yellow']

export async function showBoard(doc, element) {
  if (crypto.subtle === undefined) {
    element('turn').textContent = 'Players sign their moves, which browsers allow over https and on localhost only.'
    return
  }
  // One player for each window, also after a reload.
  const saved = JSON.parse(sessionStorage.getItem('player') ?? 'null')
  const player = await createPlayer(saved ?? undefined)
  sessionStorage.setItem('player', JSON.stringify(player.saved))
  doc.awareness.setLocalStateField('player', player.id)

  const columns = Array.from({ length: 7 }, (_, column) => {
    const button = document.createElement('button')
    button.type = 'button'
    button.addEventListener('click', () => void game.play(column))
    button.append(...Array.from({ length: 6 }, () => document.createElement('span')))
    return button
  })
  element('board').replaceChildren(...columns)
  let shown

  function show(state) {
    const { board, players, isMyTurn, moves } = state
    shown = state
    element('turn').textContent = sentence(state)
    for (const [column, button] of columns.entries()) {
      const pieces = board[column]
      button.disabled = !isMyTurn || pieces.length === 6
      button.setAttribute(
        'aria-label',
        `Column ${column + 1}: ${pieces.map(colour => COLOURS[colour]).join(', ') || 'empty'}`,
      )
      for (const [row, cell] of [...button.children].entries()) {
        const colour = pieces[5 - row]
        cell.className = colour === undefined ? '' : COLOURS[colour].toLowerCase()
        cell.classList.toggle(
          'last',
          colour !== undefined && moves.endsWith(String(column)) && 5 - row === pieces.length - 1,
        )
      }
    }
    for (const seat of [0, 1]) element(`sit-${seat}`).hidden = players[seat] !== null || state.seat >= 0
    element('restart').hidden = moves === '' && players.every(id => id === null)
  }

  const isHere = id => [...doc.awareness.getStates().values()].some(({ player }) => player === id)

  function sentence({ players, winner, isOver, isMyTurn, seat, moves }) {
    const turn = moves.length % 2
    if (winner !== null) return winner === seat ? 'You win.' : `${COLOURS[winner]} wins.`
    if (isOver) return 'Nobody wins.'
    if (players.includes(null)) {
      if (seat >= 0) return `You play ${COLOURS[seat].toLowerCase()}. ${COLOURS[1 - seat]} is free.`
      return players.every(id => id === null) ? 'Two can play.' : `${COLOURS[players.indexOf(null)]} is free.`
    }
    if (!isHere(players[turn])) return `${COLOURS[turn]} has left. You can start a new game.`
    if (isMyTurn) return `Your turn: you are ${COLOURS[seat].toLowerCase()}.`
    return `${COLOURS[turn]}’s turn.${seat < 0 ? ' You watch.' : ''}`
  }

  const game = new Game(doc, player, show)
  doc.awareness.on('change', () => shown && show(shown))
  for (const seat of [0, 1]) element(`sit-${seat}`).addEventListener('click', () => void game.sit(seat))
  element('restart').addEventListener('click', () => {
    const { seat } = shown
    game.restart()
    if (seat >= 0) void game.sit(seat)
  })
}
