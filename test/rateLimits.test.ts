import { edit, fragmentOf, textOf } from '@weft/client/text'
import { expect, it } from 'vitest'
import type * as Y from 'yjs'
import { isLong } from './rounds.ts'
import { has, program } from './support/editing.ts'
import { eventually } from './support/eventually.ts'
import { sharedServer } from './support/testServer.ts'

const EDITS = 5_000

const server = sharedServer({
  // In a long run for a minute: much longer than a client waits for a word of a server that it takes for dead.
  WEFT_MESSAGES_PER_SECOND: isLong ? '50' : '1000',
  WEFT_MESSAGE_BURST: '10',
  WEFT_BYTES_PER_SECOND: String(100 * 1024),
  WEFT_MAX_MESSAGE_BYTES: String(64 * 1024),
  WEFT_BYTE_BURST: String(64 * 1024),
})

it('[threat C6] slows a bot down that writes as fast as it can, and never ends its connection: nothing is lost, and others are not held up', async () => {
  const bot = await program(server())
  const ann = await program(server(), 'a', 'Ann writes here.')
  await has(bot, 'Ann writes here.')
  const ends: unknown[] = []
  for (const document of [bot, ann]) document.on('disconnected', end => ends.push(end))

  const numbers = Array.from({ length: EDITS }, (_, index) => ` ${index}`)
  const line = (fragmentOf(bot).get(0) as Y.XmlElement).get(0) as Y.XmlText
  const began = performance.now()
  for (const number of numbers) line.insert(line.length, number)
  expect(bot.unsaved).toBe(EDITS)
  edit(ann, tr => tr.insert(1, tr.doc.type.schema.text('Meanwhile ')))
  await ann.saved()
  expect(bot.unsaved).toBeGreaterThan(0)
  await bot.saved()
  expect(bot.unsaved).toBe(0)
  // It was slowed down, however fast the machine is: of what the server reads at once, only the last part is not waited for.
  expect(performance.now() - began).toBeGreaterThan(1_000)

  const text = `Meanwhile Ann writes here.${numbers.join('')}`
  await has(ann, text)
  await has(bot, text)
  expect(ends).toEqual([])
  await has(await program(server()), text)
})

it('lets a bot that awaits saved() have no more under way than it wants', async () => {
  const bot = await program(server(), 'b', 'Start.')
  const reader = await program(server(), 'b')
  let most = 0
  bot.on('unsaved', count => {
    most = Math.max(most, count)
  })
  for (let index = 0; index < 200; index++) {
    edit(bot, tr => tr.insert(tr.doc.content.size - 1, tr.doc.type.schema.text('.')))
    if (index % 20 === 19) await bot.saved()
  }
  expect(most).toBe(20)
  expect(bot.unsaved).toBe(0)
  await eventually('all of it', () => textOf(reader) === `Start.${'.'.repeat(200)}`)
})
