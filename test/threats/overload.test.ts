import { join } from 'node:path'
import { encodeSyncStep1 } from '@weft/protocol'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { eventually } from '../support/eventually.ts'
import { NOTHING, RawClient } from '../support/RawClient.ts'
import { ServerProcess } from '../support/ServerProcess.ts'
import { canMount, SmallDisk } from '../support/smallDisk.ts'
import { testFolder, testServer } from '../support/testServer.ts'
import { typist } from '../support/typist.ts'
import { WireSocket } from '../support/WireSocket.ts'
import { clientFrame, opcode } from '../support/webSocketFrame.ts'

const MiB = 1 << 20

describe('the bound of memory', () => {
  it('[threat C4] is computed from the settings, with each buffer that it counts, and said at the start', async () => {
    const run = (...args: string[]) =>
      testFolder().then(folder => ServerProcess.run({ folder, args: ['--explain-limits', ...args] }))
    const [plain, smaller] = await Promise.all([run(), run('--max-connections', '100')])
    expect([plain.code, smaller.code]).toEqual([0, 0])
    const total = ({ output }: { output: string }) =>
      Number(/^([\d ]+) MiB in all/mu.exec(output)?.[1]?.replaceAll(' ', ''))
    expect(total(plain)).toBeGreaterThan(1000)
    expect(total(smaller)).toBeLessThan(total(plain) - 1000)
    expect(smaller.output).toMatch(/WEFT_MAX_CONNECTIONS {2,}100 connections/u)
    for (const what of ['large messages', 'have not read', 'sessions', 'wait for the disk', 'heaps of']) {
      expect(plain.output).toContain(what)
    }
    const server = await testServer()
    const said = await eventually('the bound at the start', () => /below ([\d ]+) MiB/u.exec(server.output)?.[1])
    expect(Number(said.replaceAll(' ', ''))).toBe(total(plain))
  })
})

describe('overload', () => {
  it('[threat C4] of sessions, and of open documents, is told with the time to come back: 1013', async () => {
    const server = await testServer({ WEFT_MAX_SESSIONS: '3', WEFT_MAX_OPEN_DOCUMENTS: '2' })
    const url = (name: string) => `${server.socketUrl}/${name}`
    const first = await RawClient.join(url('a'))
    await RawClient.join(url('b'))
    const third = await RawClient.connect(url('c'))
    third.ask()
    expect(await third.closed).toEqual({
      code: 1013,
      reason: 'overload: too many documents are open: retry after 30 s',
    })
    await RawClient.join(url('a'))
    const fourth = await RawClient.connect(url('b'))
    fourth.ask()
    expect(await fourth.closed).toEqual({ code: 1013, reason: 'overload: too many sessions: retry after 30 s' })
    await first.leave()
    await eventually('room for one', () => RawClient.join(url('b')).catch(() => null))
  })

  it('[threat C2] of large messages makes the next ones wait, and those that can’t come back later', async () => {
    const server = await testServer({ WEFT_MAX_INCOMPLETE_BYTES: `${16 * MiB}`, WEFT_MAX_WAIT_SECONDS: '2' })
    const typing = await RawClient.join(`${server.socketUrl}/a`)
    const uploads: WireSocket[] = []
    for (let i = 0; i < 3; i++) {
      const wire = await WireSocket.upgrade(server, '/a')
      wire.write(clientFrame(opcode.binary, encodeSyncStep1(NOTHING)))
      // All but its end.
      wire.write(clientFrame(opcode.binary, Buffer.alloc(7 * MiB), { length: 8 * MiB, lengthBits: 64 }))
      uploads.push(wire)
    }
    const closes = await Promise.race(uploads.map(wire => wire.nextClose()))
    expect(closes).toEqual([1013, 'overload: too many large messages are coming in: retry after 10 s'])
    // Who types notices nothing of it.
    await typing.commit(typist(1).type('x'))
    expect(uploads.filter(wire => !wire.socket.destroyed && wire.socket.readable).length).toBeGreaterThanOrEqual(1)
  })

  it('[threat S8] of edits that wait for the disk is not read, and at last told to come back: 1013', async context => {
    if (!canMount) return context.skip('only root can mount a small file system')
    const disk = await SmallDisk.mount(24)
    const env = {
      WEFT_MAX_PENDING_BYTES: `${MiB}`,
      WEFT_MAX_WAIT_SECONDS: '2',
      WEFT_MIN_FREE_BYTES: '0',
      WEFT_MIN_FREE_PERCENT: '0',
    }
    const server = await testServer(env, join(disk.folder, 'data'))
    const url = `${server.socketUrl}/a`
    const [writer, reader, idle] = [await RawClient.join(url), await RawClient.join(url), await RawClient.join(url)]
    const ann = typist(1)
    await writer.commit(ann.type('before'), 1)
    await disk.fill()
    for (let i = 0; i < 60; i++) writer.update(ann.type('x'.repeat(50_000)))
    writer.askAck(2)
    expect(await writer.closed).toEqual({ code: 1013, reason: 'overload: edits wait for the disk: retry after 10 s' })
    expect(writer.untaken('ack')).toEqual([])
    // Those who send nothing stay; who comes now may read, and is told to come later when it writes.
    expect([reader.isOpen, idle.isOpen]).toEqual([true, true])
    const late = await RawClient.connect(url)
    late.ask()
    await late.next('syncStep2')
    late.update(typist(2).type('too late'))
    expect((await late.closed).reason).toMatch(
      /^overload: edits (?:cannot be stored now|wait for the disk): retry after 10 s$/,
    )
    await disk.empty()
    await eventually('readiness', async () => (await fetch(`${server.url}/readyz`)).status === 200)
    const again = await eventually('the writer to be let in', () => RawClient.join(url).catch(() => null))
    // It comes back with all that was not acknowledged.
    again.answer(Y.encodeStateAsUpdate(ann.doc))
    again.askAck(3)
    await again.nextAck(3)
    expect(reader.isOpen).toBe(true)
  })
})
