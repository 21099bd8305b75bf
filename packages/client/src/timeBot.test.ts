import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { runTimeBot, type TimeBot } from '../examples/time-bot.mjs'
import { ScriptedServer } from '../test/ScriptedServer.ts'
import { append, fragmentOf, replaceText, textOf } from './text.ts'

let server: ScriptedServer
const bots: TimeBot[] = []

beforeEach(async () => {
  server = await ScriptedServer.start()
  server.manners.relays = true
})

afterEach(async () => {
  for (const bot of bots.splice(0)) await bot.stop()
  await server.stop()
})

async function bot(name = 'Time bot'): Promise<TimeBot> {
  const started = await runTimeBot(server.url(), { name, settleMs: 1, now: () => new Date(0) })
  bots.push(started)
  return started
}

const answer = 'It is Thu, 01 Jan 1970 00:00:00 GMT.'

/** Somebody writes: the server's replica is the person's. */
function write(edit: () => void): void {
  const before = server.ydoc
  const updates: Uint8Array[] = []
  const keep = (update: Uint8Array) => updates.push(update)
  before.on('update', keep)
  edit()
  before.off('update', keep)
  for (const connection of server.connections) {
    if (!connection.isClosed) for (const update of updates) connection.update(update)
  }
}

function lines(document: { ydoc: Y.Doc } = server): string[] {
  return textOf(document).split('\n')
}

async function answered(count: number): Promise<void> {
  await server.when(() => lines().filter(line => line === answer).length === count)
}

describe('the time bot', () => {
  it('is seen by the others', async () => {
    await bot()
    const { states } = await (await server.connection(0)).frame('awareness')
    expect(states).toEqual([{ bot: 'time', user: { name: 'Time bot', color: '#0f766e' } }])
  })

  it('answers below a line that begins with /time, also one from before it came, and in a list', async () => {
    write(() => append(server, 'before\n\n/time\n\nafter'))
    await bot()
    await answered(1)
    write(() => append(server, '- /time please\n- other'))
    await answered(2)
    expect(lines()).toEqual(['before', '/time', answer, 'after', '/time please', answer, 'other'])
  })

  it('does not answer what only looks like it', async () => {
    await bot()
    write(() => append(server, '/timetable\n\nsay /time\n\n    /time in code\n\n/time'))
    await answered(1)
    expect(lines()).toEqual(['/timetable', 'say /time', '/time in code', '/time', answer])
  })

  it('answers once, whatever is edited afterwards, and whichever bot comes later', async () => {
    const first = await bot()
    write(() => append(server, '/time'))
    await answered(1)
    write(() => replaceText(server, '/time', '/time now'))
    write(() => fragmentOf(server).delete(1))
    bots.splice(0) // It leaves here, not after the test.
    await first.stop()
    await bot('Second')
    // Its next answer shows that it has looked.
    write(() => append(server, '/time again'))
    await answered(1)
    expect(lines()).toEqual(['/time now', '/time again', answer])
  })

  it('leaves one answer where two bots answered before they heard of each other', async () => {
    // They don't see each other either: each takes itself for the only one.
    server.manners.relays = false
    await bot('One')
    await bot('Two')
    write(() => append(server, '/time'))
    await answered(2)
    server.manners.relays = true
    for (const connection of server.connections) connection.update(Y.encodeStateAsUpdate(server.ydoc))
    await answered(1)
    expect(lines()).toEqual(['/time', answer])
  })
})
