import { execFileSync } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { Random } from '../crdt/Random.ts'
import { rounds, roundsTimeoutMs } from '../rounds.ts'
import { eventually, within } from '../support/eventually.ts'
import { LoopDisk } from '../support/loopDisk.ts'
import { RawClient, updateOf } from '../support/RawClient.ts'
import { ServerProcess } from '../support/ServerProcess.ts'
import { canMount, SmallDisk } from '../support/smallDisk.ts'
import { readStoredText } from '../support/storedDocument.ts'
import { eagerCompaction, testFolder, testServer } from '../support/testServer.ts'
import { asksForTokens, tokenFor } from '../support/tokens.ts'
import { type Typist, typist } from '../support/typist.ts'
import { runCommand } from '../support/weftCommand.ts'

const preload = fileURLToPath(new URL('../support/faultPoints.mjs', import.meta.url))
const seed = Number(process.env.WEFT_TEST_SEED ?? Date.now() % 2 ** 31)

/** Types until the connection ends. @returns how many updates were acknowledged */
async function typeUntilTheEnd(client: RawClient, author: Typist, count = 200): Promise<number> {
  let acknowledged = author.updates.length
  for (let i = 0; i < count; i++) {
    try {
      await client.commit(author.type(`w${author.updates.length} `), author.updates.length)
      acknowledged = author.updates.length
    } catch {
      break
    }
  }
  return acknowledged
}

/** Fails where something of what was acknowledged isn't in a text. */
function expectHeld(text: string, author: Typist, acknowledged: number, what: string): void {
  const all = author.text.toString()
  const words = all.split(' ').slice(0, acknowledged)
  if (!text.startsWith(words.join(' ')))
    throw new Error(`${what}: ${acknowledged} words were acknowledged, got ${text}`)
  expect(all.startsWith(text), what).toBe(true)
}

async function textThrough(server: ServerProcess, name: string): Promise<string> {
  const client = await RawClient.join(`${server.socketUrl}/${name}`)
  const doc = new Y.Doc()
  for (const update of client.received.map(updateOf)) if (update !== null) Y.applyUpdate(doc, update)
  client.cut()
  return doc.getText('text').toString()
}

it.each([
  ['before a write', 'before-write kill 9'],
  ['after a write, before anybody hears of it', 'after-write kill 9'],
  ['before a compaction is on disk', 'before-compaction-write kill'],
  ['after a compaction is on disk', 'after-compaction-write kill'],
  ['while a document is loaded', 'load kill 2'],
  ['when a document is unloaded', 'unload kill'],
])('[threat F2] SIGKILL %s: all that was acknowledged is there, and the store opens', async (_, fault) => {
  const env = { ...eagerCompaction, WEFT_IDLE_DOCUMENT_SECONDS: '0', WEFT_TEST_FAULT: fault }
  const server = await testServer(env, undefined, { preload })
  const ann = typist(1)
  const client = await RawClient.join(`${server.socketUrl}/a`)
  const isElsewhere = fault.startsWith('load') || fault.startsWith('unload')
  const acknowledged = await typeUntilTheEnd(client, ann, isElsewhere ? 20 : 200)
  if (isElsewhere) {
    client.cut()
    if (fault.startsWith('load'))
      await RawClient.connect(`${server.socketUrl}/b`).then(
        other => other.ask(),
        () => {},
      )
  }
  expect(await within('the end of the process', server.exit)).toEqual({ code: null, signal: 'SIGKILL' })
  expect(acknowledged).toBeGreaterThan(0)
  server.extraEnv = { WEFT_TEST_FAULT: '' }
  await server.start()
  expectHeld(await textThrough(server, 'a'), ann, acknowledged, fault)
  await server.stop()
  expectHeld(await readStoredText(server.folder, 'a'), ann, acknowledged, fault)
})

it(`[threat F5] whichever single call of the store fails: nothing acknowledged is lost (${rounds.storeCalls} calls)`, {
  timeout: roundsTimeoutMs,
}, async () => {
  // Through the start, a first document, its compaction, and what comes after.
  for (let call = 1; call <= rounds.storeCalls; call++) {
    const fault = `call fail ${1 + Math.floor((call - 1) * (60 / rounds.storeCalls))}`
    const folder = await testFolder()
    const server = await ServerProcess.start({ folder })
    const ann = typist(1)
    const first = await RawClient.join(`${server.socketUrl}/a`)
    let acknowledged = await typeUntilTheEnd(first, ann, 3)
    await server.stop()
    const faulty = { folder, preload, env: { ...eagerCompaction, WEFT_TEST_FAULT: fault } }
    const second = await ServerProcess.start(faulty).catch((error: Error) => error)
    if (second instanceof ServerProcess) {
      // What can't be read now is told to come back; what can't be written now waits.
      for (let attempt = 0; attempt < 3; attempt++) {
        const client = await RawClient.join(`${second.socketUrl}/a`, undefined, Y.encodeStateAsUpdate(ann.doc)).catch(
          () => null,
        )
        if (client === null) continue
        acknowledged = await typeUntilTheEnd(client, ann, 25)
        if (client.isOpen) break
      }
      expect((await fetch(`${second.url}/healthz`)).status, fault).toBe(200)
      expect((await second.stop()).code, fault).toBe(0)
    } else expect(second.message, fault).toMatch(/the server ended \((1|73)\)/)
    const text = await readStoredText(folder, 'a')
    expectHeld(text, ann, acknowledged, fault)
    expect(acknowledged, fault).toBeGreaterThanOrEqual(3)
  }
})

it(`[threat F6] after a flipped bit in any file the server serves what was written, or says what is damaged (seed ${seed})`, {
  timeout: roundsTimeoutMs,
}, async () => {
  const random = new Random(seed)
  const folder = await testFolder()
  const server = await ServerProcess.start({ folder, env: eagerCompaction })
  const ann = typist(1)
  for (const name of ['a', 'b']) {
    const client = await RawClient.join(`${server.socketUrl}/${name}`)
    for (const update of name === 'a' ? [] : ann.updates) client.update(update)
    if (name === 'a') await typeUntilTheEnd(client, ann, 40)
    else {
      client.askAck(1)
      await client.nextAck(1)
    }
  }
  await server.stop()
  await server.start()
  await (await RawClient.join(`${server.socketUrl}/c`)).commit(ann.updates[0] ?? new Uint8Array())
  await server.kill()
  const whole = ann.text.toString()
  const files = new Map<string, Buffer>()
  for (const name of await readdir(folder)) {
    const content = await readFile(join(folder, name)).catch(() => null)
    if (content !== null) files.set(name, content)
  }
  for (const kind of [/^CURRENT$/, /^MANIFEST-/, /\.log$/, /\.ldb$/]) {
    const names = [...files.keys()].filter(name => kind.test(name) && (files.get(name)?.length ?? 0) > 0)
    expect(names.length, `${kind}`).toBeGreaterThan(0)
    for (let round = 0; round < rounds.processFlips; round++) {
      const damaged = await testFolder()
      for (const [name, content] of files) await writeFile(join(damaged, name), content)
      const name = names[random.below(names.length)] ?? ''
      const bytes = Buffer.from(files.get(name) ?? Buffer.of())
      const place = random.below(bytes.length)
      bytes[place] = (bytes[place] ?? 0) ^ (1 << random.below(8))
      await writeFile(join(damaged, name), bytes)
      const what = `seed ${seed}: ${name}, byte ${place}`
      const again = await ServerProcess.start({ folder: damaged }).catch((error: Error) => error)
      if (again instanceof Error) {
        expect(again.message, what).toMatch(/the server ended \(73\)/)
        continue
      }
      for (const document of ['a', 'b']) {
        const text = await textThrough(again, document).catch((error: Error) => error.message)
        const isWhole = text === whole
        const isEarlier = whole.startsWith(text) && /damaged|cut short/.test(again.output)
        if (!isWhole && !isEarlier) expect(text, what).toMatch(/closed with 1011/)
      }
      await again.kill()
    }
  }
})

it('[threat F8] a folder that is read-only: exit code 73, one plain line, nothing is written', async context => {
  if (!canMount) return context.skip('only root can mount a file system read-only')
  const disk = await SmallDisk.mount(24)
  const server = await testServer({}, join(disk.folder, 'data'))
  await (await RawClient.join(`${server.socketUrl}/a`)).commit(typist(1).type('kept'))
  await server.stop()
  const before = await readdir(server.folder)
  execFileSync('mount', ['-o', 'remount,ro', disk.folder])
  const { code, output } = await ServerProcess.run({ folder: server.folder })
  expect([code, output.trim().split('\n').length, output]).toEqual([
    73,
    1,
    expect.stringContaining('cannot be written to'),
  ])
  expect(await readdir(server.folder)).toEqual(before)
  execFileSync('mount', ['-o', 'remount,rw', disk.folder])
  await server.start()
  expect(await textThrough(server, 'a')).toBe('kept')
})

it('[threat F9] with 1,000 descriptors, all in use: who is here goes on, who comes is let in when there is room', async () => {
  const server = await testServer({}, undefined, { descriptors: 1000 })
  const ann = typist(1)
  const client = await RawClient.join(`${server.socketUrl}/a`)
  const reader = await RawClient.join(`${server.socketUrl}/a`)
  await client.commit(ann.type('before '), 1)
  const crowd: RawClient[] = []
  let refused = 0
  while (refused === 0 && crowd.length < 1100) {
    const batch = await Promise.allSettled(
      Array.from({ length: 50 }, () => RawClient.connect(`${server.socketUrl}/crowd`)),
    )
    for (const result of batch) {
      if (result.status === 'fulfilled') crowd.push(result.value)
      else refused++
    }
  }
  expect(crowd.length).toBeGreaterThan(500)
  expect(refused).toBeGreaterThan(0)
  // It doesn't spin: a second of refusals takes a part of a second.
  const cpu = async () => {
    const fields = (await readFile(`/proc/${server.pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? []
    return Number(fields[11]) + Number(fields[12])
  }
  const before = await cpu()
  for (let i = 2; i <= 20; i++) {
    await client.commit(ann.type(`w${i} `), i)
    await new Promise(resolve => setTimeout(resolve, 25))
  }
  expect((await cpu()) - before).toBeLessThan(100)
  await reader.next('update')
  expect([client.isOpen, reader.isOpen]).toEqual([true, true])
  for (const other of crowd) other.cut()
  await eventually(
    'room for somebody',
    async () => (await textThrough(server, 'a').catch(() => '')) === ann.text.toString(),
  )
  await server.stop()
})

describe('[threat F10] [threat S8] a disk that doesn’t answer', () => {
  it(`for ${rounds.stallSeconds} s: nothing is acknowledged early, reading goes on, and what was written comes`, {
    timeout: roundsTimeoutMs,
  }, async context => {
    const reason = LoopDisk.reason()
    if (reason !== null) return context.skip(reason)
    const disk = await LoopDisk.make(64)
    const server = await testServer({ WEFT_MAX_PENDING_BYTES: `${1 << 20}` }, join(disk.folder, 'data'))
    const ann = typist(1)
    const writer = await RawClient.join(`${server.socketUrl}/a`)
    const reader = await RawClient.join(`${server.socketUrl}/a`)
    await writer.commit(ann.type('before '), 1)
    await reader.next('update')
    disk.freeze()
    try {
      const write = (from: number, to: number) => {
        for (let i = from; i <= to; i++) {
          writer.update(ann.type('x'.repeat(50_000)))
          writer.askAck(i)
        }
      }
      write(2, 10)
      const end = performance.now() + rounds.stallSeconds * 1000
      let clock = 0
      while (performance.now() < end) {
        expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
        const late = await RawClient.join(`${server.socketUrl}/a`)
        late.cut()
        reader.awareness(11, ++clock, { name: 'Ann' })
        await reader.next('awareness')
        await new Promise(resolve => setTimeout(resolve, 200))
      }
      await eventually('everybody to be told', () => server.output.includes('the disk does not answer'))
      expect((await fetch(`${server.url}/readyz`)).status).toBe(503)
      // Beyond what may wait for the disk: it is left in the sockets.
      write(11, 60)
      await new Promise(resolve => setTimeout(resolve, 500))
      expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
      expect(writer.untaken('ack')).toEqual([])
      expect(reader.untaken('update')).toEqual([])
      expect(reader.isOpen).toBe(true)
    } finally {
      disk.thaw()
    }
    if (!writer.isOpen) {
      // Told to come back, which it does, with what it has.
      expect((await writer.closed).code).toBe(1013)
      const again = await RawClient.join(`${server.socketUrl}/a`, undefined, Y.encodeStateAsUpdate(ann.doc))
      again.askAck(1)
      await again.nextAck(1)
    } else await writer.nextAck(60)
    await server.stop()
    expect(await readStoredText(server.folder, 'a')).toBe(ann.text.toString())
  })
})

it(`[threat F3] the power fails while it writes (${rounds.powerCuts} times, seed ${seed}): all that was acknowledged is on the disk`, {
  timeout: roundsTimeoutMs,
}, async context => {
  const reason = LoopDisk.reason()
  if (reason !== null) return context.skip(reason)
  const random = new Random(seed)
  const disk = await LoopDisk.make(64)
  const server = await testServer(eagerCompaction, join(disk.folder, 'data'))
  const ann = typist(1)
  for (let round = 0; round < rounds.powerCuts; round++) {
    const client = await RawClient.join(`${server.socketUrl}/a`, undefined, Y.encodeStateAsUpdate(ann.doc))
    let acknowledged = 0
    client.onMessage(message => {
      if (message.type === 'ack') acknowledged = Math.max(acknowledged, message.payload[0] ?? 0)
    })
    const before = ann.updates.length
    for (let i = 1; i <= 100 && i < 20 + random.below(80); i++) {
      client.update(ann.type(`w${ann.updates.length} `))
      client.askAck(i)
      if (random.chance(0.2)) await new Promise(resolve => setImmediate(resolve))
    }
    await eventually('some acknowledgements', () => acknowledged > 5)
    server.freeze()
    const known = before + acknowledged
    const dead = await disk.afterPowerCut()
    server.thaw()
    const again = await ServerProcess.start({ folder: join(dead.folder, 'data') })
    expectHeld(await textThrough(again, 'a'), ann, known, `seed ${seed}, round ${round}`)
    await again.kill()
    client.cut()
  }
})

it('[threat F11] the wall clock jumps by two hours, forth and back: nobody is disconnected, no token ends early', async () => {
  const server = await testServer({ ...asksForTokens, WEFT_TEST_CLOCK_JUMP: '7200' }, undefined, { preload })
  const url = `${server.socketUrl}/a?token=${await tokenFor('editor')}`
  const ann = typist(1)
  const client = await RawClient.join(url)
  const reader = await RawClient.join(url)
  client.awareness(1, 1, { name: 'Ann' })
  await reader.next('awareness', ({ payload }) => Buffer.from(payload).includes('Ann'))
  for (const jump of [1, 2]) {
    process.kill(server.pid, 'SIGUSR2')
    await eventually('the jump', () => server.output.split('the clock jumped').length > jump)
    for (let i = 1; i <= 3; i++) await client.commit(ann.type(`jump ${jump} `), jump * 10 + i)
    await reader.next('update')
    // Whoever comes is judged by the time as it is then.
    const late = await RawClient.connect(url)
    late.ask()
    if (jump === 1) expect((await late.closed).code).toBe(4401)
    else await late.next('syncStep2')
    // The sweeps, which end what is silent, come each 5 s.
    await new Promise(resolve => setTimeout(resolve, 5500))
    expect([client.isOpen, reader.isOpen]).toEqual([true, true])
  }
  const gone = reader.untaken('awareness').filter(({ payload }) => Buffer.from(payload).includes('null'))
  expect(gone).toEqual([])
  await server.stop()
})

it('[threat F12] a store that the first version wrote is opened with all that it has, and goes on', async () => {
  // Files of a store of format 1, as a server of that version left them when it was killed.
  const fixture = new URL('../fixtures/storeFormat1.json', import.meta.url)
  const files: Record<string, string> = JSON.parse(await readFile(fixture, 'utf8'))
  const folder = await testFolder()
  for (const [name, content] of Object.entries(files))
    await writeFile(join(folder, name), Buffer.from(content, 'base64'))
  const server = await testServer({}, folder)
  const texts = { written: 'one two three and four', 'compacted%20%C3%BC': 'one two three', later: 'in the log alone' }
  for (const [name, text] of Object.entries(texts))
    expect([name, await textThrough(server, name)]).toEqual([name, text])
  const gone = await RawClient.connect(`${server.socketUrl}/gone`)
  gone.ask()
  expect((await gone.closed).code).toBe(4404)
  const client = await RawClient.join(`${server.socketUrl}/later`)
  await client.commit(typist(3).type('!'))
  await server.stop()
  expect((await runCommand(['verify', '--data', folder])).stdout).toBe('3 sound, 1 deleted\n')
})

it.each([
  ['a message', 'message throw 9', 1011],
  ['a commit', 'commit throw 2', 1011],
  ['a timer', 'timer throw 1', 1011],
  ['loading a document', 'load fail 2', 1011],
  ['a request', 'request fail 1', null],
] as const)(
  'an exception in %s is logged, ends that session or document at most, and never the process',
  async (_, fault, code) => {
    const server = await testServer({ WEFT_TEST_FAULT: fault }, undefined, { preload })
    const ann = typist(1)
    const client = await RawClient.join(`${server.socketUrl}/a`)
    await typeUntilTheEnd(client, ann, 4)
    const other = await RawClient.connect(`${server.socketUrl}/b`)
    other.ask()
    other.answer()
    const answer = await fetch(`${server.url}/api/v1/documents/a`)
    if (fault.startsWith('request')) expect(answer.status).toBe(500)
    await eventually('the fault', () => server.output.includes('a fault was made'), 15_000)
    if (code !== null) {
      const closes = await Promise.race([client.closed, other.closed])
      expect(closes.code).toBe(code)
    }
    await eventually('a line in the log', () => server.output.includes('a fault that a test made'))
    // All is well again, for whoever comes back, in a moment or two.
    const again = await eventually('the document', () =>
      RawClient.join(`${server.socketUrl}/a`, undefined, Y.encodeStateAsUpdate(ann.doc)).catch(() => null),
    )
    again.askAck(1)
    await again.nextAck(1)
    expect(await textThrough(server, 'a')).toBe(ann.text.toString())
    expect((await server.stop()).code).toBe(0)
  },
)

it.each([
  ['ends', 'worker exit', 500],
  ['has no memory left', 'worker memory', 422],
])('a worker that %s ends its task alone: the next one gets another worker', async (_, fault, status) => {
  const once = join(await testFolder(), 'done')
  const server = await testServer({ WEFT_TEST_FAULT: fault, WEFT_TEST_FAULT_ONCE: once }, undefined, { preload })
  const ann = typist(1)
  const client = await RawClient.join(`${server.socketUrl}/a`)
  await client.commit(ann.type('kept'), 1)
  const ask = () => fetch(`${server.url}/api/v1/documents/a?format=yjs`)
  expect((await ask()).status).toBe(status)
  await client.commit(ann.type(' and on'), 2)
  const answer = await ask()
  expect(answer.status).toBe(200)
  const doc = new Y.Doc()
  Y.applyUpdate(doc, new Uint8Array(await answer.arrayBuffer()))
  expect(doc.getText('text').toString()).toBe('kept and on')
  expect(client.isOpen).toBe(true)
  expect((await server.stop()).code).toBe(0)
})
