import { join } from 'node:path'
import { connect } from '@weft/client'
import { encodeAnnounce, encodeSyncStep1 } from '@weft/protocol'
import { expect, it, onTestFinished } from 'vitest'
import { eventually } from './support/eventually.ts'
import { RawClient } from './support/RawClient.ts'
import { RawProvider } from './support/RawProvider.ts'
import { canMount, SmallDisk } from './support/smallDisk.ts'
import { documentOf, readStored } from './support/storedDocument.ts'
import { testServer } from './support/testServer.ts'
import { typist } from './support/typist.ts'

const MiB = 2 ** 20

it('[threat S5] before the disk is full, documents can only be read; everybody is told, and it passes by itself', async context => {
  if (!canMount) return context.skip('only root can mount a small file system')
  const disk = await SmallDisk.mount(48)
  const env = { WEFT_MIN_FREE_BYTES: `${12 * MiB}`, WEFT_MIN_FREE_PERCENT: '5' }
  const server = await testServer(env, join(disk.folder, 'data'))
  const ready = async () => (await fetch(`${server.url}/readyz`)).status
  const ann = typist(1)
  const stock = await RawClient.join(`${server.socketUrl}/a`)
  await stock.commit(ann.type('before '), 1)
  const announced = await RawClient.join(`${server.socketUrl}/a`)
  announced.send(encodeAnnounce())
  expect((await announced.next('access')).access).toBe('read-write')
  const doc = await connect(`${server.socketUrl}/a`)
  onTestFinished(() => doc.close({ saved: false }))
  const provider = await RawProvider.connect(server, 'a')
  provider.send(encodeSyncStep1(Uint8Array.of(0)))
  await provider.hears('step 2')
  const states: string[] = []
  doc.on('saving', saving => states.push(saving))

  await disk.fill(8 * MiB)
  expect((await announced.next('saving')).saving).toBe('disk-full')
  expect((await announced.next('access')).access).toBe('read-only')
  expect((await stock.next('permissionDenied')).reason).toMatch(/^forbidden: .*too little space/)
  await eventually('the provider to know', () => provider.texts.includes('readonly'))
  await eventually('the client to know', () => doc.saving === 'disk-full' && doc.access === 'read-only')
  await eventually('readiness to be gone', async () => (await ready()) === 503)
  // What is written now is not taken, not lost, and not called saved. Presence goes on, and so does reading.
  stock.update(ann.type('meanwhile '))
  stock.askAck(2)
  doc.ydoc.getMap('m').set('by', 'the client')
  stock.awareness(11, 1, { name: 'Ann' })
  await announced.next('awareness')
  const late = await RawClient.join(`${server.socketUrl}/a`)
  late.send(encodeAnnounce())
  expect((await late.next('saving')).saving).toBe('disk-full')
  const put = await fetch(`${server.url}/api/v1/documents/b`, {
    method: 'PUT',
    headers: { 'Content-Type': 'text/markdown', 'X-Requested-With': 'test' },
    body: 'x',
  })
  expect([put.status, put.headers.get('retry-after')]).toEqual([503, '5'])
  expect([doc.unsaved, stock.untaken('ack')]).toEqual([1, []])

  await disk.empty()
  expect((await announced.next('saving')).saving).toBe('saving')
  expect((await announced.next('access')).access).toBe('read-write')
  await eventually('the provider to know', () => provider.texts.at(-1) === 'read-write')
  // What was refused is asked for.
  await stock.next('syncStep1')
  stock.answer(ann.updates.at(-1))
  stock.askAck(3)
  await stock.nextAck(3)
  await doc.saved()
  expect(states).toEqual(['disk-full', 'saving'])
  await eventually('readiness', async () => (await ready()) === 200)
  expect([stock.isOpen, announced.isOpen, late.isOpen]).toEqual([true, true, true])
  await server.stop()
  const stored = documentOf(await readStored(server.folder, 'a'))
  expect([stored.getText('text').toString(), stored.getMap('m').get('by')]).toEqual(['before meanwhile ', 'the client'])
})

it('[threat S5] [threat F4] where writes fail, who announced themselves are told so, and that it is over', async context => {
  if (!canMount) return context.skip('only root can mount a small file system')
  const disk = await SmallDisk.mount(24)
  const server = await testServer({}, join(disk.folder, 'data'))
  const doc = await connect(`${server.socketUrl}/a`)
  onTestFinished(() => doc.close({ saved: false }))
  const states: string[] = []
  doc.on('saving', saving => states.push(saving))
  doc.ydoc.getText('text').insert(0, 'before ')
  await doc.saved()
  await disk.fill()
  for (let i = 0; i < 6; i++) doc.ydoc.getText('text').insert(7, 'x'.repeat(50_000))
  await eventually('the client to know', () => doc.saving === 'saving-failing')
  expect([doc.status, doc.access, doc.unsaved > 0]).toEqual(['synced', 'read-write', true])
  // Who comes now is told, too.
  const late = await RawClient.join(`${server.socketUrl}/b`)
  late.send(encodeAnnounce())
  expect((await late.next('saving')).saving).toBe('saving-failing')
  await disk.empty()
  await doc.saved()
  expect([states, doc.saving]).toEqual([['saving-failing', 'saving'], 'saving'])
  expect((await late.next('saving')).saving).toBe('saving')
})
