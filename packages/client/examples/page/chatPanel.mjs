// The chat of `../chat.mjs`, on a page.

import { openChat } from '../chat.mjs'

/** So many of the last lines are shown. */
const SHOWN = 200

export function showChat(doc, element) {
  const list = element('lines')
  const field = element('line')
  const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })

  function show() {
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40
    list.replaceChildren(...chat.lines.slice(-SHOWN).map(item))
    if (isAtEnd) list.scrollTop = list.scrollHeight
    const { typing } = chat
    element('typing').textContent =
      typing.length > 0 ? `${typing.join(', ')} ${typing.length > 1 ? 'are' : 'is'} typing…` : ''
  }

  // As text, never as markup: others wrote it.
  function item(line) {
    const item = document.createElement('li')
    item.classList.toggle('mine', line.by === doc.ydoc.clientID)
    const name = document.createElement('b')
    name.textContent = line.name
    const text = document.createElement('span')
    text.textContent = line.text
    const when = document.createElement('time')
    const date = new Date(typeof line.time === 'number' ? line.time : Number.NaN)
    when.textContent = Number.isNaN(date.getTime()) ? '' : time.format(date)
    item.append(name, when, text)
    return item
  }

  const chat = openChat(doc, show)
  field.addEventListener('input', () => chat.type())
  element('say').addEventListener('submit', event => {
    event.preventDefault()
    chat.say(field.value)
    field.value = ''
    list.scrollTop = list.scrollHeight
  })
  show()
  list.scrollTop = list.scrollHeight
}
