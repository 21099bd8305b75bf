import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type * as Y from 'yjs'
import { type Proofreader, runProofreader } from '../examples/proofreader.mjs'
import { ScriptedServer } from '../test/ScriptedServer.ts'
import { append, fragmentOf, replaceText, textOf, toMarkdown } from './text.ts'

let server: ScriptedServer
const bots: Proofreader[] = []

beforeEach(async () => {
  server = await ScriptedServer.start()
  server.manners.relays = true
})

afterEach(async () => {
  for (const bot of bots.splice(0)) await bot.stop()
  await server.stop()
})

async function bot(): Promise<Proofreader> {
  const started = await runProofreader(server.url())
  bots.push(started)
  return started
}

/** Somebody writes: the server's replica is the person's. */
function write(edit: () => void): void {
  const updates: Uint8Array[] = []
  const keep = (update: Uint8Array) => updates.push(update)
  server.ydoc.on('update', keep)
  edit()
  server.ydoc.off('update', keep)
  for (const connection of server.connections) {
    if (!connection.isClosed) for (const update of updates) connection.update(update)
  }
}

/** A correction that comes after all before it: when it is there, everything else has been looked at. */
async function looked(): Promise<void> {
  write(() => append(server, 'teh end.'))
  await server.when(() => textOf(server).endsWith('the end.'))
}

async function sees({ doc: { awareness } }: Proofreader, count: number): Promise<void> {
  while (awareness.getStates().size !== count) await new Promise(resolve => awareness.once('change', resolve))
}

describe('the proofreader', () => {
  it('corrects finished words, in one update, and keeps their formatting', async () => {
    await bot()
    write(() =>
      append(server, 'We **recieve** teh letter, adn _definately_ read it. And teh\n\n- in a list: seperate.'),
    )
    await server.when(() => textOf(server).includes('separate'))
    expect(toMarkdown(server).trim()).toBe(
      'We **receive** the letter, and _definitely_ read it. And teh\n\n- in a list: separate.'.replaceAll('_', '*'),
    )
    const [connection] = server.connections
    expect(connection?.frames.filter(({ type }) => type === 'update')).toHaveLength(1)
  })

  it('leaves alone what is code, part of a word, or not finished', async () => {
    await bot()
    write(() => append(server, '`teh x`\n\n    teh code\n\ntehran, Steh, teh_x, teh1\n\nteh'))
    await looked()
    const text = 'teh x\nteh code\ntehran, Steh, teh_x, teh1\nteh'
    expect(textOf(server)).toBe(`${text}\nthe end.`)
    write(() => replaceText(server, { from: text.length, to: text.length }, ' is'))
    await server.when(() => textOf(server).endsWith('the is\nthe end.'))
  })

  it('changes only the wrong letters: what is written beside them at the same time stays', async () => {
    await bot()
    write(() => append(server, 'say teh word'))
    const line = (fragmentOf(server).get(0) as Y.XmlElement).get(0) as Y.XmlText
    write(() => line.insert(4, 'now '))
    write(() => line.insert(line.length, ' again'))
    await server.when(() => textOf(server) === 'say now the word again')
  })

  it('works alone where there are several', async () => {
    const both = [await bot(), await bot()] as const
    // This server tells nobody who was there before.
    for (const { doc } of both) doc.awareness.setLocalState(doc.awareness.getLocalState())
    for (const each of both) await sees(each, 2)
    const [first, second] = both.toSorted((a, b) => a.doc.ydoc.clientID - b.doc.ydoc.clientID) as [
      Proofreader,
      Proofreader,
    ]
    await looked()
    bots.splice(bots.indexOf(first), 1)
    await first.stop()
    await sees(second, 1)
    await looked()
    expect(textOf(server)).toBe('the end.\nthe end.')
  })
})
