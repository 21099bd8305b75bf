// A chat beside a document. What was said is kept in the document itself, in a Y.Array; that somebody is typing is a
// message, gone when it is over. `chat-terminal.mjs` is a client of it; the page of `npm run examples` has another one.

/** The others hear at most so often that somebody types, and believe it for so long. */
const TYPING_EVERY_MS = 1_500
const TYPING_LASTS_MS = 4_000
const MAX_LENGTH = 2_000

/**
 * The chat of a document.
 * @param {import('@weft/client').WeftDocument} doc
 * @param {() => void} changed called when a line came, or somebody began or ended typing
 * @returns {import('./chat.d.mts').Chat}
 */
export function openChat(doc, changed) {
  const lines = doc.ydoc.getArray('chat')
  /** Who is typing, and when that is no longer believed. @type {Map<number, ReturnType<typeof setTimeout>>} */
  const typing = new Map()
  let toldAt = -TYPING_EVERY_MS

  // Anybody can write anything into the array; only what is a line counts.
  const isLine = line => typeof line?.name === 'string' && typeof line.text === 'string' && line.text !== ''

  function heard({ from, payload }) {
    if (payload !== 'chat: typing' || from === null) return
    stopped(from)
    const timer = setTimeout(() => {
      typing.delete(from)
      changed()
    }, TYPING_LASTS_MS)
    typing.set(from, timer)
    changed()
  }

  function stopped(clientID) {
    clearTimeout(typing.get(clientID))
    typing.delete(clientID)
  }

  function lineCame(event) {
    for (const { insert = [] } of event.changes.delta) for (const line of insert) stopped(line?.by)
    changed()
  }

  function nameOf(clientID) {
    const name = doc.awareness.getStates().get(clientID)?.user?.name
    return typeof name === 'string' ? name : ''
  }

  doc.on('message', heard)
  lines.observe(lineCame)
  return {
    get lines() {
      return lines.toArray().filter(isLine)
    },
    get typing() {
      return [...typing.keys()].map(nameOf).filter(name => name !== '')
    },
    say(text) {
      const { name = 'Somebody', color = '#6f6d66' } = doc.awareness.getLocalState()?.user ?? {}
      const said = text.trim().slice(0, MAX_LENGTH)
      if (said !== '') lines.push([{ by: doc.ydoc.clientID, name, color, text: said, time: Date.now() }])
      toldAt = -TYPING_EVERY_MS
    },
    type() {
      const now = performance.now()
      if (now - toldAt < TYPING_EVERY_MS) return
      toldAt = now
      // Without a connection nobody hears it, and nobody needs to.
      doc.send('chat: typing').catch(() => {})
    },
    stop() {
      for (const clientID of [...typing.keys()]) stopped(clientID)
      doc.off('message', heard)
      lines.unobserve(lineCame)
    },
  }
}
