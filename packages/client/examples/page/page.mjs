// The page of the examples: one document, and in it a text with a ticker's table, a chat and a game.

import '@fontsource-variable/inter/index.css'
import '@fontsource-variable/source-serif-4/index.css'
import { connect } from '@weft/client'
import { showBoard } from './board.mjs'
import { showChat } from './chatPanel.mjs'
import { showText } from './text.mjs'

const NAMES = ['Ada', 'Bela', 'Cleo', 'Dara', 'Emil', 'Frida', 'Gino', 'Hana', 'Ivo', 'Juno', 'Kim', 'Lou']
const COLORS = ['#0f766e', '#b91c5c', '#4338ca', '#a16207', '#15803d', '#9333ea', '#0369a1', '#c2410c']

/** `#team/notes` names another document than ours. */
const documentId = decodeURIComponent(location.hash.slice(1)) || 'examples/live'
const path = documentId.split('/').map(encodeURIComponent).join('/')
const element = id => document.getElementById(id)
const anyOf = list => list[Math.floor(Math.random() * list.length)]

function setState(text, isCalm = true) {
  element('state').textContent = text
  element('state').dataset.calm = String(isCalm)
}

const user = { name: sessionStorage.getItem('name') ?? anyOf(NAMES), color: anyOf(COLORS) }
const waiting = setTimeout(() => setState('Waiting for the server: npm start', false), 2_000)
const doc = await connect(new URL(`/${path}`, location.href), { user })
clearTimeout(waiting)

const states = { connecting: 'Connecting…', synced: 'Live', offline: 'Offline: it comes back by itself' }
function showState() {
  setState(states[doc.status] ?? doc.refusal?.message ?? doc.status, doc.status === 'synced')
}
doc.on('status', showState)
showState()

element('editor').href = `/d/${path}`
element('name').value = user.name
element('name').addEventListener('change', event => {
  const name = event.target.value.trim() || anyOf(NAMES)
  event.target.value = name
  sessionStorage.setItem('name', name)
  doc.awareness.setLocalStateField('user', { ...user, name })
})

function showPeople() {
  const states = [...doc.awareness.getStates()].filter(([clientID]) => clientID !== doc.ydoc.clientID)
  const people = states.map(([, { user }]) => {
    const person = document.createElement('li')
    person.textContent = String(user?.name ?? 'Somebody')
    return person
  })
  element('people').replaceChildren(...people)
  element('no-ticker').hidden = states.some(([, { bot }]) => bot === 'ticker')
}
doc.awareness.on('change', showPeople)
showPeople()

showText(doc, element('text'))
showChat(doc, element)
await showBoard(doc, element)
