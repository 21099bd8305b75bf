import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { isLong } from '../../../test/rounds.ts'
import { ScriptedServer, type ServerConnection } from '../test/ScriptedServer.ts'
import { connect } from './connect.ts'
import { type DocumentStatus, type LinkEvent, transitions } from './documentStatus.ts'
import type { WeftDocument } from './WeftDocument.ts'

/** What can happen to a document, as a test makes it happen. */
const commands = ['answer', 'cut', 'refuse', 'leave', 'resume'] as const
type Command = (typeof commands)[number]

const stored = new Y.Doc()
stored.getText('t').insert(0, 'kept ')
const hello = Y.encodeStateAsUpdate(stored)

/** All sequences of so many commands. */
function* sequences(length: number): Generator<Command[]> {
  if (length === 0) yield []
  else for (const head of commands) for (const tail of sequences(length - 1)) yield [head, ...tail]
}

let server: ScriptedServer

/** One that answers when it is told to. */
async function startServer(): Promise<ScriptedServer> {
  const started = await ScriptedServer.start()
  started.manners.answers = false
  return started
}

beforeEach(async () => {
  server = await startServer()
})

afterEach(() => server.stop())

describe('the state machine', () => {
  it('knows every state and every event', () => {
    const states = Object.keys(transitions) as DocumentStatus[]
    expect(states).toEqual(['connecting', 'synced', 'offline', 'refused'])
    for (const state of states) {
      expect(Object.keys(transitions[state])).toEqual(['opened', 'synced', 'lost', 'refused', 'left', 'resumed'])
      expect(states).toEqual(expect.arrayContaining(Object.values(transitions[state])))
    }
  })

  it('is the table of the README', () => {
    const text = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
    for (const [state, row] of Object.entries(transitions)) {
      expect(text).toContain(`| ${[state, ...Object.values(row)].map(name => `\`${name}\``).join(' | ')} |`)
    }
  })

  it('is synced by a connection alone, and leaves `refused` by `reconnect` alone', () => {
    for (const [state, row] of Object.entries(transitions)) {
      for (const [event, next] of Object.entries(row)) {
        if (next === 'synced' && state !== 'synced') expect([state, event]).toEqual(['connecting', 'synced'])
        if (state === 'refused' && next !== 'refused') expect(event).toBe('resumed')
      }
    }
  })

  it('is what a document does, whatever happens in whichever order, and nothing that it says is a lie', async () => {
    const length = isLong ? 5 : 3
    let count = 0
    for (const sequence of sequences(length)) {
      // What the walks before have written makes each one slower.
      if (count % 100 === 99) {
        await server.stop()
        server = await startServer()
      }
      await new Walk(sequence).run()
      count++
    }
    expect(count).toBe(commands.length ** length)
  }, 600_000)
})

/** One document that is led through a sequence, beside what it should say at each step. */
class Walk {
  readonly #sequence: readonly Command[]
  #expected: DocumentStatus = 'connecting'
  readonly #expectedLog: DocumentStatus[] = []
  readonly #log: DocumentStatus[] = []
  #socket: ServerConnection | null = null
  #news: (() => void)[] = []

  constructor(sequence: readonly Command[]) {
    this.#sequence = sequence
  }

  async run(): Promise<void> {
    // No attempt comes by itself within a test.
    const count = server.connections.length
    const opening = connect(server.url('walk'), { random: () => 1e5, store: this.#store() })
    const document = await opening
    document.on('status', status => {
      this.#log.push(status)
      for (const tell of this.#news.splice(0)) tell()
    })
    document.on('unsaved', () => {
      for (const tell of this.#news.splice(0)) tell()
    })
    await this.#socketOpens(count)
    for (const [step, command] of this.#sequence.entries()) {
      document.ydoc.getText('t').insert(0, `${step}`)
      await this.#do(command, document)
      this.#check(document, `${this.#sequence.join(' ')}, step ${step}`)
    }
    expect(this.#log, this.#sequence.join(' ')).toEqual(this.#expectedLog)
    await document.close({ saved: false })
    await this.#socket?.closed()
  }

  /** Content that is here before the network answers: the document is open at once. */
  #store() {
    return {
      open: async () => ({ updates: [hello], damage: null }),
      append: async () => {},
      replace: async () => {},
      close: async () => {},
    }
  }

  async #do(command: Command, document: WeftDocument): Promise<void> {
    const socket = this.#socket
    if (command === 'answer' && socket !== null) {
      socket.answer()
      await this.#becomes('synced')
    } else if (command === 'cut' && socket !== null) {
      this.#socket = null
      socket.cut()
      await this.#becomes('lost')
    } else if (command === 'refuse' && socket !== null) {
      this.#socket = null
      socket.close(4403, 'forbidden: no')
      await this.#becomes('refused')
      expect(document.refusal).toMatchObject({ code: 4403 })
      await expect(document.saved()).rejects.toThrow()
    } else if (command === 'leave') {
      this.#socket = null
      document.disconnect()
      await socket?.closed()
      await this.#becomes('left')
    } else if (command === 'resume') {
      const count = server.connections.length
      document.reconnect()
      await this.#becomes('resumed')
      if (socket === null) await this.#socketOpens(count)
    }
  }

  /** @param index of the connection that comes */
  async #socketOpens(index: number): Promise<void> {
    const socket = await server.connection(index)
    this.#socket = socket
    await socket.frame('step1')
    // Its answer to the server's question holds all that was edited before.
    await socket.frame('step2')
    await this.#becomes('opened')
  }

  async #becomes(event: LinkEvent): Promise<void> {
    const next = transitions[this.#expected][event]
    if (next !== this.#expected) this.#expectedLog.push(next)
    this.#expected = next
    while (this.#log.length < this.#expectedLog.length) await new Promise<void>(resolve => this.#news.push(resolve))
  }

  #check(document: WeftDocument, where: string): void {
    expect(document.status, where).toBe(this.#expected)
    expect(document.refusal !== undefined, where).toBe(this.#expected === 'refused')
    const mine = document.ydoc.getText('t').toString()
    // Nothing is called saved that the server doesn't have.
    if (document.unsaved === 0) expect([...server.text].sort(), where).toEqual([...mine].sort())
    if (this.#socket === null) expect(['offline', 'refused'], where).toContain(document.status)
  }
}
