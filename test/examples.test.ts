import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { connect, type WeftDocument } from '@weft/client'
import { append, fragmentOf, replaceText, textOf } from '@weft/client/text'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { type Chat, openChat } from '../packages/client/examples/chat.mjs'
import { createPlayer, Game, type Player, type State } from '../packages/client/examples/four-in-a-row.mjs'
import { runPlayer } from '../packages/client/examples/four-in-a-row-bot.mjs'
import { runTicker, type Ticker } from '../packages/client/examples/ticker.mjs'
import { api, apiPath } from './support/apiClient.ts'
import { eventually, within } from './support/eventually.ts'
import { freePort } from './support/freePort.ts'
import { documentOf, readStored } from './support/storedDocument.ts'
import { eagerCompaction, testServer } from './support/testServer.ts'

const EXAMPLES = new URL('../packages/client/examples/', import.meta.url)

interface Program {
  readonly child: ChildProcess
  /** What it printed. */
  readonly output: () => string
  /** Resolves when it has printed this. */
  printed(text: string): Promise<void>
  readonly ended: Promise<number | null>
}

/** An example as anybody would start it. */
function start(file: string, ...args: string[]): Program {
  const child = spawn(process.execPath, [fileURLToPath(new URL(file, EXAMPLES)), ...args])
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      output += text
    })
  }
  const ended = new Promise<number | null>(resolve => child.once('close', resolve))
  return {
    child,
    output: () => output,
    printed: async text => {
      await eventually(`${JSON.stringify(text)} in ${JSON.stringify(output)}`, () => output.includes(text))
    },
    ended: within(() => `the end of ${file}, which printed: ${output}`, ended),
  }
}

async function person(url: string, name = 'Ann'): Promise<WeftDocument> {
  const document = await connect(url, { user: { name, color: '#8e4ec6' } })
  onTestFinished(() => document.close({ saved: false }))
  return document
}

describe('npm run examples', () => {
  const COMMAND = fileURLToPath(new URL('../scripts/examples.mjs', import.meta.url))

  /** @returns what it printed, once it has ended with code 1 */
  async function refusal(env: Record<string, string>): Promise<string> {
    const child = spawn(process.execPath, [COMMAND], { env: { ...process.env, ...env } })
    onTestFinished(() => {
      child.kill('SIGKILL')
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (output += text))
    const ended = new Promise<number | null>(resolve => child.once('close', resolve))
    expect(await within(() => `the end of the examples, which printed: ${output}`, ended)).toBe(1)
    return output
  }

  it('says in a line that there is no server, or where it can’t be', async () => {
    const url = `http://127.0.0.1:${await freePort()}`
    expect(await refusal({ WEFT_URL: url.replace('http', 'ws') })).toBe(
      `weft: no Weft server at ${url}: npm start in another terminal\n`,
    )
    expect(await refusal({ WEFT_URL: 'nowhere' })).toMatch(/^weft: 'nowhere' is not the address of a server.*\n$/)
  })

  it('says in a line that its port is taken, or none', async () => {
    const server = await testServer()
    const taken = { WEFT_URL: server.url, WEFT_EXAMPLES_PORT: String(server.port) }
    expect(await refusal(taken)).toBe(`weft: 127.0.0.1:${server.port} is in use; WEFT_EXAMPLES_PORT chooses a port\n`)
    expect(await refusal({ ...taken, WEFT_EXAMPLES_PORT: 'x' })).toBe("weft: WEFT_EXAMPLES_PORT is 'x': not a port\n")
  })
})

it('has no file of 150 lines or more', () => {
  const files = readdirSync(EXAMPLES, { recursive: true, encoding: 'utf8' }).filter(
    file => /\.(mjs|html|css)$/.test(file) && !file.startsWith('dist'),
  )
  expect(files.length).toBeGreaterThan(10)
  for (const file of files) {
    expect([file, readFileSync(new URL(file, EXAMPLES), 'utf8').split('\n').length < 150]).toEqual([file, true])
  }
})

describe('the chat', () => {
  async function chatOf(document: WeftDocument): Promise<Chat> {
    const chat = openChat(document, () => {})
    onTestFinished(() => chat.stop())
    return chat
  }

  it('is kept in the document, and shown in a terminal', async () => {
    const server = await testServer()
    const url = `${server.socketUrl}/team/notes`
    const ann = await person(url)
    append(ann, 'The text')
    const chat = await chatOf(ann)
    chat.say('  the first line  ')
    chat.say(' ')
    await ann.saved()

    const terminal = start('chat-terminal.mjs', url, 'Bo')
    await terminal.printed('Ann: the first line')
    terminal.child.stdin?.write('hello from the terminal\n')
    await eventually('the line', () => chat.lines.length === 2)
    expect(chat.lines.map(({ name, text }) => `${name}: ${text}`)).toEqual([
      'Ann: the first line',
      'Bo: hello from the terminal',
    ])
    chat.type()
    await terminal.printed('(Ann is typing)')
    // What a terminal would obey, and what is no line at all.
    ann.ydoc.getArray('chat').push([null, 5, { name: 'x' }, { name: 'Mallory', text: 'a\u001b[2Jb' }])
    await terminal.printed('Mallory: a [2Jb')
    terminal.child.stdin?.end('goodbye\n')
    expect(await terminal.ended).toBe(0)
    await eventually('the last line', () => chat.lines.at(-1)?.text === 'goodbye')
    expect(textOf(ann)).toBe('The text')

    await server.kill()
    await server.start()
    const late = start('chat-terminal.mjs', url, 'Cy')
    await late.printed('Bo: goodbye')
  })

  it('tells who is typing, until the line is there', async () => {
    const server = await testServer()
    const [ann, bo] = [await person(`${server.socketUrl}/a`), await person(`${server.socketUrl}/a`, 'Bo')]
    const [chat, others] = [await chatOf(ann), await chatOf(bo)]
    await eventually('both to be seen', () => bo.awareness.getStates().size === 2)
    chat.type()
    chat.type()
    await eventually('it to be seen', () => others.typing.join() === 'Ann')
    expect(chat.typing).toEqual([])
    chat.say('here it is')
    await eventually('the line', () => others.lines.length === 1)
    expect(others.typing).toEqual([])
    // Nobody hears it, and nothing breaks.
    ann.disconnect()
    chat.type()
    chat.say('said offline')
    expect(others.lines).toHaveLength(1)
    ann.reconnect()
    await eventually('what was said offline', () => others.lines.length === 2)
  })
})

describe('the ticker', () => {
  async function ticker(url: string, options: Parameters<typeof runTicker>[1] = {}): Promise<Ticker> {
    const started = await runTicker(url, { intervalMs: 2, ...options })
    onTestFinished(() => started.stop().catch(() => {}))
    return started
  }

  const wrote = (bot: Ticker, count: number): Promise<unknown> => {
    const goal = bot.writes + count
    return eventually(`${count} prices`, () => bot.writes >= goal)
  }

  it('writes prices into a table of the document, as a program of its own', async () => {
    const server = await testServer()
    const url = `${server.socketUrl}/market`
    const ann = await person(url)
    append(ann, 'Notes on the market')
    await ann.saved()
    const bot = start('ticker.mjs', url)
    const prices = new Set<string>()
    await eventually('20 different tables', () => prices.add(textOf(ann)).size === 20)
    bot.child.kill('SIGINT')
    expect(await bot.ended).toBe(0)
    const lines = textOf(ann).split('\n')
    expect(lines.slice(0, 7)).toEqual([
      'Notes on the market',
      'Share',
      'Price',
      'Change',
      'WEFT',
      expect.stringMatching(/^\d+\.\d\d$/),
      expect.stringMatching(/^[+−]\d+\.\d\d %$/),
    ])
    expect(lines).toHaveLength(1 + 7 * 3)
  })

  it('touches no more than the two cells of a share', async () => {
    const server = await testServer()
    const ann = await person(`${server.socketUrl}/market`)
    const bot = await ticker(`${server.socketUrl}/market`)
    await eventually('the table', () => textOf(ann).includes('WEFT'))
    const touched = new Set<string>()
    bot.doc.ydoc.on('afterTransaction', (transaction: Y.Transaction) => {
      if (!transaction.local) return
      expect(transaction.changed.size).toBeLessThanOrEqual(2)
      for (const type of transaction.changed.keys()) touched.add(type.constructor.name)
    })
    append(ann, 'Below')
    await wrote(bot, 50)
    replaceText(ann, 'Below', 'Below the table')
    await wrote(bot, 50)
    await eventually('both to be the same', () => textOf(bot.doc) === textOf(ann))
    expect([...touched]).toEqual([Y.XmlText.name])
    expect(textOf(ann)).toContain('Below the table')
  })

  it('writes alone where there are several, and leaves it to people to delete the table', async () => {
    const server = await testServer()
    const url = `${server.socketUrl}/market`
    const ann = await person(url)
    // As fast as in life: they wait for a second before one of them makes the table.
    const bots = [await ticker(url, { intervalMs: 50 }), await ticker(url, { intervalMs: 50 })]
    await eventually('all to be seen', () => ann.awareness.getStates().size === 3)
    await eventually('prices', () => bots.some(bot => bot.writes > 20))
    const tables = () => textOf(ann).split('Share').length - 1
    expect(tables()).toBe(1)
    const [first, second] = bots.sort((a, b) => a.doc.ydoc.clientID - b.doc.ydoc.clientID) as [Ticker, Ticker]
    await wrote(first, 5)
    const silent = second.writes
    await wrote(first, 20)
    expect(second.writes).toBe(silent)
    await first.stop()
    await wrote(second, 5)
    expect(tables()).toBe(1)
    const fragment = fragmentOf(ann)
    fragment.delete(0, fragment.length)
    await ann.saved()
    await eventually('the table to be gone', () => textOf(second.doc) === '')
    await wrote(second, 20)
    expect(textOf(second.doc)).toBe('')
  })

  it('does not make the document grow with each price', async () => {
    const server = await testServer({ ...eagerCompaction })
    const bot = await ticker(`${server.socketUrl}/market`, { intervalMs: 1, renewEvery: 100 })
    await wrote(bot, 2)
    await eventually('a thousand prices', () => bot.writes >= 1_000)
    const { writes } = bot
    await bot.stop()
    await server.stop()
    const stored = await readStored(server.folder, 'market')
    const bytes = Y.encodeStateAsUpdate(documentOf(stored)).length
    // Without new paragraphs 20 bytes a price stay: 20,000. Between two renewals that is so; each leaves about 200.
    expect(bytes).toBeLessThan(2_500 + 100 * 25 + (writes / 100) * 300)
  })
})

it('the proofreader corrects what somebody writes, as a program of its own, until the document is deleted', async () => {
  const server = await testServer()
  const url = `${server.socketUrl}/team/notes`
  const ann = await person(url)
  append(ann, 'The first line')
  await ann.saved()
  const [bot, other] = [start('proofreader.mjs', url), start('proofreader.mjs', url)]
  for (const each of [bot, other]) await each.printed('proofreading team/notes')
  await eventually('both to be seen', () => ann.awareness.getStates().size === 3)
  replaceText(ann, 'first', 'seperate')
  await eventually('the correction', () => textOf(ann) === 'The separate line')
  for (const each of [bot, other]) each.child.kill('SIGINT')
  for (const each of [bot, other]) expect(await each.ended).toBe(0)

  const last = start('proofreader.mjs', url)
  await last.printed('proofreading')
  await api(server, 'DELETE', apiPath('team/notes'), { headers: { 'X-Requested-With': 'test' } })
  expect(await last.ended).toBe(1)
  expect(last.output()).toContain('the document was deleted')
})

describe('four in a row', () => {
  interface Seated {
    readonly doc: WeftDocument
    readonly game: Game
    readonly player: Player
    readonly map: Y.Map<unknown>
    state: State | null
  }

  async function come(url: string, saved?: JsonWebKey): Promise<Seated> {
    const doc = await person(url)
    const player = await createPlayer(saved)
    const seated: { -readonly [Key in keyof Seated]: Seated[Key] } = {
      doc,
      player,
      map: doc.ydoc.getMap('four in a row'),
      state: null,
      game: new Game(doc, player, state => {
        seated.state = state
      }),
    }
    onTestFinished(() => seated.game.stop())
    return seated
  }

  /** Two at the table, and somebody who watches. */
  async function table(): Promise<{ url: string; red: Seated; yellow: Seated; watcher: Seated }> {
    const server = await testServer()
    const url = `${server.socketUrl}/game`
    const [red, yellow, watcher] = [await come(url), await come(url), await come(url)]
    await red.game.sit(0)
    await eventually('red to sit', () => yellow.state?.players[0] === red.player.id)
    await yellow.game.sit(1)
    await eventually('both to sit', () => [red, watcher].every(({ state }) => state?.players[1] === yellow.player.id))
    return { url, red, yellow, watcher }
  }

  const see = (moves: string, ...all: Seated[]): Promise<unknown> =>
    eventually(`${moves} to be played`, () => all.every(({ state }) => state?.moves === moves))

  /** What was written before has come to everybody, and been looked at: a move after it is seen. */
  async function play(moves: string, { red, yellow, watcher }: Awaited<ReturnType<typeof table>>): Promise<void> {
    let played = red.state?.moves ?? ''
    for (const column of moves) {
      await (played.length % 2 === 0 ? red : yellow).game.play(Number(column))
      played += column
      await see(played, red, yellow, watcher)
    }
  }

  it('is played by two, and seen by everybody, to its end', async () => {
    const all = await table()
    const { red, yellow, watcher } = all
    expect([red, yellow, watcher].map(({ state }) => [state?.seat, state?.isMyTurn])).toEqual([
      [0, true],
      [1, false],
      [-1, false],
    ])
    await play('010101', all)
    await red.game.play(0)
    await see('0101010', red, yellow, watcher)
    for (const { state } of [red, yellow, watcher]) {
      expect(state).toMatchObject({ winner: 0, isOver: true, isMyTurn: false })
      expect(state?.board[0]).toEqual([0, 0, 0, 0])
    }
    await yellow.game.play(2)
    expect((await yellow.game.read()).moves).toBe('0101010')
    watcher.game.restart()
    await eventually('a new game', () =>
      [red, yellow, watcher].every(({ state }) => state?.moves === '' && state.players.join() === ','),
    )
  })

  it('is played by bots to an end that all see', async () => {
    const server = await testServer()
    const url = `${server.socketUrl}/game`
    const watcher = await come(url)
    for (const seat of [0, 1]) {
      const bot = await runPlayer(url, { seat, thinkMs: 0 })
      onTestFinished(() => bot.doc.close({ saved: false }))
    }
    await eventually('the end of the game', () => watcher.state?.isOver)
    const late = await come(url)
    await see(watcher.state?.moves ?? '', late)
    expect(late.state?.board).toEqual(watcher.state?.board)
    expect(watcher.state?.moves.length).toBeGreaterThan(6)
  })

  it('lets the bot, started as a program, play with somebody, and clears the table when it leaves', async () => {
    const server = await testServer()
    const url = `${server.socketUrl}/game`
    const ann = await come(url)
    const bot = start('four-in-a-row-bot.mjs', url)
    await eventually('the bot to sit', () => ann.state?.players[1] != null)
    await ann.game.sit(0)
    await eventually('her turn', () => ann.state?.isMyTurn)
    await ann.game.play(3)
    await eventually('its answer', () => ann.state?.moves.length === 2)
    bot.child.kill('SIGINT')
    expect(await bot.ended).toBe(0)
    await eventually('a free table', () => ann.state?.players.join() === ',')
  })

  it('counts no move of a cheat', async () => {
    const all = await table()
    const { red, yellow, watcher: mallory } = all
    await play('34', all)
    const id = red.state?.id ?? ''
    const put = async (who: Seated, moves: string, signer: Player, signed = moves): Promise<void> => {
      who.map.set(`${id} ${moves}`, await signer.sign(`${id} ${signed}`))
    }
    // Somebody who only watches, for red; yellow when it is red's turn; red with a signature of another move, of another
    // game, without one; a column that there isn't.
    await put(mallory, '340', mallory.player)
    await put(yellow, '341', yellow.player)
    await put(red, '342', red.player, '343')
    red.map.set(`${id} 343`, await red.player.sign('other 343'))
    red.map.set(`${id} 344`, [1, 2, 3])
    mallory.map.set(`${id} 345`, { signature: 'x' })
    await put(red, '347', red.player)
    await put(mallory, '3', mallory.player, '3')
    await put(mallory, '34', mallory.player)
    const [first, second] = [mallory.map.get(`${id} 3`), mallory.map.get(`${id} 34`)]
    await eventually(
      'what was written over to be put back',
      () => mallory.map.get(`${id} 3`) !== first && mallory.map.get(`${id} 34`) !== second,
    )
    await see('34', red, yellow, mallory)
    // An honest move shows that all have seen the rest.
    await red.game.play(6)
    await see('346', red, yellow, mallory)
    const fresh = await come(all.url)
    await see('346', fresh)
  })

  it('lets nobody take a move back that was answered', async () => {
    const all = await table()
    const { red, yellow, watcher } = all
    await play('34', all)
    // Red signs another first move.
    const id = red.state?.id ?? ''
    red.map.set(`${id} 0`, await red.player.sign(`${id} 0`))
    await play('5', all)
    expect(await Promise.all([red, yellow, watcher].map(async ({ game }) => (await game.read()).moves))).toEqual(
      Array.from({ length: 3 }, () => '345'),
    )
  })

  it('counts one of two moves that a player makes in two windows at the same moment, the same one everywhere', async () => {
    const all = await table()
    const { red, yellow, watcher, url } = all
    const second = await come(url, red.player.saved)
    await see('', second)
    await eventually('the seat', () => second.state?.isMyTurn)
    second.doc.disconnect()
    red.doc.disconnect()
    await red.game.play(4)
    await second.game.play(2)
    expect([(await red.game.read()).moves, (await second.game.read()).moves]).toEqual(['4', '2'])
    red.doc.reconnect()
    second.doc.reconnect()
    await see('2', red, second, yellow, watcher)
    await play('5', all)
    await see('25', second)
  })

  it('lets one sit of two who take a seat at the same moment, the same one everywhere', async () => {
    const server = await testServer()
    const url = `${server.socketUrl}/game`
    const [ann, bo, cy] = [await come(url), await come(url), await come(url)]
    for (const { doc } of [ann, bo]) doc.disconnect()
    for (const { game } of [ann, bo]) await game.sit(0)
    for (const { doc } of [ann, bo]) doc.reconnect()
    await eventually('one of them to sit', () => {
      const seats = [ann, bo, cy].map(({ state }) => state?.players[0])
      return seats[0] != null && seats.every(id => id === seats[0]) && cy.doc.ydoc.store.clients.size === 2
    })
    expect([ann.state?.seat, bo.state?.seat].sort()).toEqual([-1, 0])
  })
})
