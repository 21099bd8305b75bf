import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { connect, type WeftDocument } from '@weft/client'
import { append, replaceText, textOf } from '@weft/client/text'
import { expect, it, onTestFinished } from 'vitest'
import { eventually, within } from './support/eventually.ts'
import { testServer } from './support/testServer.ts'

const BOT = fileURLToPath(new URL('../packages/client/examples/time-bot.mjs', import.meta.url))

interface BotProcess {
  /** What it printed. */
  readonly output: () => string
  /** Ctrl+C; the exit code. */
  stop(): Promise<number | null>
}

/** The example as anybody would start it. Resolves when it is in the document. */
async function startBot(url: string): Promise<BotProcess> {
  const child = spawn(process.execPath, [BOT, url], { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let output = ''
  const ended = new Promise<number | null>(resolve => child.once('close', resolve))
  const joined = new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8')
      stream.on('data', (text: string) => {
        output += text
        if (output.includes('waiting for lines')) resolve()
      })
    }
    void ended.then(code => reject(new Error(`the bot ended with ${code}:\n${output}`)))
  })
  await within(() => `the bot, which printed: ${output}`, joined)
  return {
    output: () => output,
    stop: () => {
      child.kill('SIGINT')
      return within(() => `the end of the bot, which printed: ${output}`, ended)
    },
  }
}

async function person(url: string): Promise<WeftDocument> {
  const document = await connect(url, { user: { name: 'Ann', color: '#8e4ec6' } })
  onTestFinished(() => document.close({ saved: false }))
  return document
}

const names = (document: WeftDocument): string[] =>
  [...document.awareness.getStates().values()].map(state => String(state.user?.name)).sort()

const answer = /^It is \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\.$/
const lines = (document: WeftDocument): string[] => textOf(document).split('\n')
const answers = (document: WeftDocument): string[] => lines(document).filter(line => answer.test(line))

it('joins a document, is seen, answers each line that begins with /time once, and leaves', async () => {
  const server = await testServer()
  const url = `${server.socketUrl}/team/notes`
  const ann = await person(url)
  append(ann, 'Before it came\n\n/time\n\nno /time here')
  await ann.saved()

  const bot = await startBot(url)
  expect(bot.output()).toContain('in team/notes')
  await eventually('the bot to be seen', () => names(ann).join() === 'Ann,Time bot')
  await eventually('an answer', () => answers(ann).length === 1)
  append(ann, '- /time in a list')
  await eventually('a second answer', () => answers(ann).length === 2)
  replaceText(ann, 'no /time', '/time')
  await eventually('a third one', () => answers(ann).length === 3)
  expect(await bot.stop()).toBe(0)
  await eventually('the bot to be gone', () => names(ann).join() === 'Ann')
  expect(lines(ann)).toEqual([
    'Before it came',
    '/time',
    expect.stringMatching(answer),
    '/time here',
    expect.stringMatching(answer),
    '/time in a list',
    expect.stringMatching(answer),
  ])
})

it('goes on after the server was killed, and neither it nor a second one answers again what has an answer', async () => {
  const server = await testServer()
  const url = `${server.socketUrl}/team/notes`
  const ann = await person(url)
  append(ann, '/time')
  const bot = await startBot(url)
  await eventually('an answer', () => answers(ann).length === 1)
  await server.kill()
  append(ann, '/time while nobody hears')
  await server.start()
  await eventually('an answer after the restart', () => answers(ann).length === 2)
  await startBot(url)
  append(ann, '/time for one of you')
  await eventually('the next answer', () => answers(ann).length === 3)
  // The first one's leaving is committed after everything that it wrote.
  expect(await bot.stop()).toBe(0)
  append(ann, '/time for the other')
  await eventually('an answer of the other bot', () => answers(ann).length === 4)
  await ann.saved()
  expect(lines(ann).filter(line => line.startsWith('/time'))).toHaveLength(4)
  const fresh = await person(url)
  expect(lines(fresh)).toEqual(lines(ann))
})
