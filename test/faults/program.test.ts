import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { connect } from '@weft/client'
import { levelStore } from '@weft/client/leveldb'
import { describe, expect, it, onTestFinished } from 'vitest'
import { eventually, within } from '../support/eventually.ts'
import { canMount, SmallDisk } from '../support/smallDisk.ts'
import { testFolder, testServer } from '../support/testServer.ts'
import { link, onServer, text, write } from './faultSuite.ts'

const clientFolder = fileURLToPath(new URL('../../packages/client', import.meta.url))

/** A program that opens a document, writes into it as it is told by lines, and says what is saved. */
function program(url: string, store: string | null) {
  const code = `
    import { createInterface } from 'node:readline'
    import { connect } from '@weft/client'
    import { levelStore } from '@weft/client/leveldb'
    const doc = await connect('${url}/d', { random: () => 0${store === null ? '' : `, store: levelStore('${store}', 'd')`} })
    console.log('open ' + doc.ydoc.getText('t'))
    for await (const line of createInterface({ input: process.stdin })) {
      const [level, words] = line.split(':')
      doc.ydoc.getText('t').insert(doc.ydoc.getText('t').length, words)
      if (level !== 'none') await doc.saved(level)
      console.log('done')
    }
  `
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], { cwd: clientFolder })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async () => String((await within('a line of the program', lines.next())).value)
  return {
    opened: next(),
    async write(level: 'none' | 'local' | 'server', words: string) {
      child.stdin.write(`${level}:${words}\n`)
      expect(await next()).toBe('done')
    },
    async kill() {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

describe('a program, where', () => {
  it('it is killed, with a local store', async () => {
    const server = await testServer()
    const proxy = await link(server)
    const store = await testFolder()
    const first = program(proxy.socketUrl, store)
    expect(await first.opened).toBe('open ')
    await first.write('server', 'on the server ')
    proxy.refuse(true)
    proxy.cut()
    await first.write('local', 'here alone')
    await first.kill()
    const second = program(proxy.socketUrl, store)
    // Opened without a network.
    expect(await second.opened).toBe('open on the server here alone')
    proxy.refuse(false)
    await second.write('server', '!')
    expect(await onServer(server)).toBe('on the server here alone!')
  })

  it('it is killed, without a local store', async () => {
    const server = await testServer()
    const proxy = await link(server)
    const first = program(proxy.socketUrl, null)
    await first.opened
    await first.write('server', 'promised')
    proxy.stall('toServer')
    await first.write('none', ' and lost')
    await first.kill()
    expect(await onServer(server)).toBe('promised')
  })

  it('its local disk is full', async context => {
    if (!canMount) return context.skip('only root can mount a small file system')
    const disk = await SmallDisk.mount(8)
    const server = await testServer()
    const document = await connect(`${server.socketUrl}/d`, { random: () => 0, store: levelStore(disk.folder, 'd') })
    onTestFinished(() => document.close({ saved: false }))
    write(document, 'before ')
    await document.saved('local')
    await disk.fill()
    write(document, 'x'.repeat(300_000))
    await expect(document.saved('local')).rejects.toMatchObject({ name: 'StoreError', code: 'full' })
    expect(document.storeError).toMatchObject({ code: 'full' })
    // The server takes it all the same.
    await document.saved()
    expect(document.unsavedLocally).toBe(1)
    await disk.empty()
    await document.saved('local')
    expect([document.storeError, document.unsavedLocally]).toEqual([undefined, 0])
  })

  it('two have the same local store', async () => {
    const server = await testServer()
    const store = await testFolder()
    const document = await connect(`${server.socketUrl}/d`, { random: () => 0, store: levelStore(store, 'd') })
    onTestFinished(() => document.close({ saved: false }))
    await document.saved('local')
    const other = program(server.socketUrl, store)
    expect(await other.opened).toBe('open ')
    // Without its store, which is the first one's.
    await other.write('server', 'by the server')
    await eventually('it to arrive', () => text(document).toString() === 'by the server')
    await document.saved('local')
  })
})
