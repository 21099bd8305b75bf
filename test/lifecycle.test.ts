import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, open } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { describeSettings } from '../server/dist/describeSettings.js'
import { eventually, within } from './support/eventually.ts'
import { freePort } from './support/freePort.ts'
import { RawClient } from './support/RawClient.ts'
import { ServerProcess } from './support/ServerProcess.ts'
import { documentOf, readStored } from './support/storedDocument.ts'
import { testFolder, testServer } from './support/testServer.ts'
import { typist } from './support/typist.ts'

describe('a log that cannot be written', () => {
  it('loses lines, and neither stops the server nor keeps it from ending', async () => {
    const full = await open('/dev/full', 'w')
    const port = await freePort()
    const main = fileURLToPath(new URL('../server/bundle/main.js', import.meta.url))
    const server = spawn(process.execPath, [main], {
      env: { WEFT_PORT: `${port}`, WEFT_DATA: await testFolder(), WEFT_LOG_LEVEL: 'debug' },
      stdio: ['ignore', 'pipe', full.fd],
    })
    onTestFinished(async () => {
      server.kill('SIGKILL')
      await full.close()
    })
    const ended = once(server, 'exit')
    if (server.stdout === null) throw new Error('no output')
    await once(server.stdout, 'data')
    for (let i = 1; i <= 3; i++) {
      const client = await RawClient.join(`ws://127.0.0.1:${port}/a`)
      await client.commit(typist(i).type('x'))
      await client.leave()
    }
    server.kill('SIGTERM')
    expect(await within('the end of the server', ended)).toEqual([0, null])
  })
})

describe('a stop', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'by %s commits what came, tells everybody to come back, and ends with 0',
    async signal => {
      const server = await testServer()
      const clients = await Promise.all([1, 2, 3].map(() => RawClient.join(`${server.socketUrl}/a`)))
      const ann = typist(1)
      const [first] = clients
      for (let i = 1; i <= 200; i++) first?.update(ann.type(`${i} `))
      first?.askAck(1)
      await first?.nextAck(1)
      // Sent, and not known to be committed: what is acknowledged must be stored, and all of it is in the end or none.
      for (let i = 201; i <= 400; i++) {
        first?.update(ann.type(`${i} `))
        first?.askAck(i)
      }
      const begin = performance.now()
      const exit = await server.stop(signal)
      expect(exit).toEqual({ code: 0, signal: null })
      expect(performance.now() - begin).toBeLessThan(5000)
      for (const client of clients) {
        expect(await client.closed).toEqual({ code: 1012, reason: expect.stringMatching(/^restart: /) })
      }
      const words = documentOf(await readStored(server.folder, 'a'))
        .getText('text')
        .toString()
        .trim()
        .split(' ').length
      const acks = first?.received.filter(message => message.type === 'ack').length ?? 0
      expect(words).toBeGreaterThanOrEqual(200 + acks - 1)
    },
  )

  it('commits and acknowledges what waits for a pause of its document', async () => {
    const server = await testServer({ WEFT_FANOUT_PERCENT: '1', WEFT_MAX_COMMIT_PAUSE_MS: '10000' })
    const url = `${server.socketUrl}/a`
    const writer = await RawClient.join(url)
    const readers = await Promise.all(Array.from({ length: 60 }, () => RawClient.join(url)))
    const ann = typist(1)
    writer.awareness(11, 1, { name: 'Ann' })
    await writer.next('awareness')
    // The more a broadcast costs, the longer the pause after it: a hundred times its cost here.
    for (let i = 1; i <= 5; i++) await writer.commit(ann.type('x'.repeat(20_000)), i)
    writer.update(ann.type('at the last moment'))
    writer.askAck(6)
    // The answer to this says that the server has got what was sent before it.
    writer.send(Uint8Array.of(3))
    await writer.next('awareness')
    expect((await server.stop()).code).toBe(0)
    await writer.nextAck(6)
    expect((await writer.closed).code).toBe(1012)
    for (const reader of readers) {
      await reader.next('update', ({ update }) => Buffer.from(update).includes('at the last moment'))
    }
    const stored = documentOf(await readStored(server.folder, 'a'))
      .getText('text')
      .toString()
    expect(stored.endsWith('at the last moment')).toBe(true)
  })

  it('ends in time though a client neither reads nor answers', async () => {
    const server = await testServer()
    const silent = await RawClient.join(`${server.socketUrl}/a`)
    const writer = await RawClient.join(`${server.socketUrl}/a`)
    silent.stopReading()
    const ann = typist(1)
    for (let i = 1; i <= 40; i++) writer.update(ann.type('x'.repeat(50_000)))
    writer.askAck(1)
    await writer.nextAck(1)
    const begin = performance.now()
    expect(await server.stop()).toEqual({ code: 0, signal: null })
    expect(performance.now() - begin).toBeLessThan(5000)
    silent.cut()
  })

  it('leaves a store that the next start continues with', async () => {
    const server = await testServer()
    const ann = typist(1)
    for (const word of ['one ', 'two ', 'three ']) {
      const client = await RawClient.join(`${server.socketUrl}/a`)
      await client.commit(ann.type(word))
      expect((await server.stop()).code).toBe(0)
      await server.start()
    }
    await server.stop()
    expect(
      documentOf(await readStored(server.folder, 'a'))
        .getText('text')
        .toString(),
    ).toBe('one two three ')
  })
})

describe('a start', () => {
  it('[threat S7] [threat F7] on a folder that another process holds ends with 73 and one clear line', async () => {
    const server = await testServer()
    const client = await RawClient.join(`${server.socketUrl}/a`)
    const { code, output } = await ServerProcess.run({ folder: server.folder })
    expect(code).toBe(73)
    expect(output.trim().split('\n').length).toBe(1)
    expect(output).toContain(server.folder)
    expect(output).toMatch(/^weft: .*(another|other) process/)
    // The first one doesn't notice.
    await client.commit(typist(1).type('x'))
  })

  it('on a folder that no file system takes ends at once with 73 and one line', async () => {
    for (const folder of ['/proc/weft', '/proc/weft/data']) {
      const { code, output } = await ServerProcess.run({ folder })
      expect([code, output]).toEqual([73, expect.stringMatching(/^weft: the data folder \/proc\/weft.* cannot .*\n$/u)])
    }
  })

  it('warns of a setting that is none, with the one that is meant, and of a folder that others may read', async () => {
    const folder = await testFolder()
    await chmod(folder, 0o755)
    const server = await testServer({ WEFT_MAX_CONECTIONS: '5' }, folder)
    await eventually('two warnings', () => server.output.split('"level":40').length > 2)
    expect(server.output).toContain(
      'WEFT_MAX_CONECTIONS is no setting of Weft, and has no effect: is WEFT_MAX_CONNECTIONS meant?',
    )
    expect(server.output).toContain(`its rights are 755): chmod 700 ${folder}`)
  })

  it('on a port that is taken says so, with the setting', async () => {
    const server = await testServer()
    const { code, output } = await ServerProcess.run({ folder: await testFolder(), port: server.port })
    expect(code).toBe(1)
    expect(output).toContain(String(server.port))
    expect(output).toContain('WEFT_PORT')
    expect(output.trim().split('\n').length).toBe(1)
  })

  // What else is refused: server/src/config.test.ts.
  it.each([
    [{ WEFT_PORT: '70000' }, [], 'WEFT_PORT', '70000', '65535'],
    [{ WEFT_MAX_MESSAGE_BYTES: '12' }, [], 'WEFT_MAX_MESSAGE_BYTES', '12', '65536'],
    [{ WEFT_BYTE_BURST: '65536' }, [], 'WEFT_BYTE_BURST', '65536', 'WEFT_MAX_MESSAGE_BYTES'],
    [{}, ['--prot', '1'], '--prot', '--prot', '--help'],
  ])('with %j %j ends with 2 and names setting, value and what is allowed', async (env, args, ...parts) => {
    const { code, output } = await ServerProcess.run({ folder: await testFolder(), env, args })
    expect(code).toBe(2)
    expect(output.trim().split('\n').length).toBe(1)
    for (const part of parts) expect(output).toContain(part)
  })

  it('with --help lists every setting with its flag, environment name and default, and starts nothing', async () => {
    const { code, output } = await ServerProcess.run({ folder: '/nowhere/at/all', args: ['--help'] })
    expect(code).toBe(0)
    expect(describeSettings().length).toBeGreaterThan(10)
    for (const setting of describeSettings()) {
      const line = output.split('\n').find(candidate => candidate.includes(`${setting.flag ?? setting.env} `))
      expect(line).toContain(setting.env)
      expect(line).toContain(setting.default)
      expect(line).toContain(setting.help)
    }
  })

  it('takes a flag before the environment', async () => {
    const folder = await testFolder()
    const other = await testFolder()
    const server = await ServerProcess.start({ folder: other, args: ['--data', folder] })
    expect(server.output).toContain(folder)
    expect(server.output).not.toContain(other)
    await server.stop()
  })

  it('prints the address, where the data is and how much memory it takes, and nothing else', async () => {
    const server = await testServer({ WEFT_LOG_LEVEL: 'info' })
    await eventually('a fourth line', async () => server.output.split('\n').length > 4)
    expect(server.output.replace(/[\d ]+ MiB/u, ' 1 MiB')).toBe(
      `Weft is at ${server.url}\nDocuments are in ${server.folder}\n` +
        'Nobody is asked who they are, so it listens on this machine only\n' +
        'Memory stays below 1 MiB, whoever attacks it: --explain-limits says which settings make it less\n',
    )
  })

  it('serves other machines without keys only where it is told so, and says what that means', async () => {
    const folder = await testFolder()
    const env = { WEFT_HOST: '0.0.0.0' }
    const refused = await ServerProcess.run({ folder, env })
    expect(refused.code).toBe(2)
    expect(refused.output).toMatch(/^weft: WEFT_HOST is 0\.0\.0\.0, .* set WEFT_AUTH_SECRET .* --open .*\n$/)
    const open = await testServer({ ...env, WEFT_OPEN: '1' })
    await eventually('a third line', async () => open.output.split('\n').length > 3)
    expect(open.output).toContain('can read and write every document')
    const flagged = await ServerProcess.start({ folder: await testFolder(), env, args: ['--open'] })
    await flagged.kill()
    const closed = await testServer({ WEFT_HOST: '0.0.0.0', WEFT_AUTH_SECRET: 'abcdefghijklmnopqrstuvwxyz012345' })
    await closed.stop()
    expect(closed.output).not.toContain('every document')
  })
})
