import { expect, it } from 'vitest'
import { hocuspocusSocket, providerVersions } from './support/hocuspocusClient.ts'
import { stockClient, stockVersions } from './support/stockClient.ts'
import { testServer } from './support/testServer.ts'

/** A stock client drops its socket when it hears nothing for 30 s: twice that, and some. Real time is the point here. */
const ALONE_MS = 70_000

it('an unmodified client of any major version and family stays connected for 70 s, alone, on one socket', async () => {
  const server = await testServer()
  const errors: unknown[] = []
  const clients = stockVersions.flatMap(version => {
    const present = stockClient(version, server.socketUrl, `present-${version}`)
    // One that shows no presence has no echo of its own to live on.
    const absent = stockClient(version, server.socketUrl, `absent-${version}`)
    absent.provider.awareness.setLocalState(null)
    return [present, absent]
  })
  for (const { provider } of clients) provider.on('connection-error', event => errors.push(event))
  await Promise.all(clients.map(client => client.synced()))
  const providers = providerVersions.flatMap(version =>
    ['present', 'absent', 'without a document'].map(what => {
      const socket = hocuspocusSocket(version, server.socketUrl)
      // Version 2 tells no server of its awareness unless there is some.
      const client = socket.open(`${what} ${version}`, version === 2 ? {} : { token: 'anything' })
      return { what, socket, client }
    }),
  )
  await Promise.all(providers.map(({ client }) => client.synced()))
  for (const { what, client } of providers) {
    if (what === 'present') client.provider.setAwarenessField('user', { name: 'Ann' })
    if (what === 'absent') client.provider.awareness?.setLocalState(null)
    if (what === 'without a document') client.destroy()
  }
  let disconnections = 0
  for (const { provider } of clients) {
    provider.on('status', ({ status }: { status: string }) => {
      if (status !== 'connected') disconnections++
    })
  }
  await new Promise(resolve => setTimeout(resolve, ALONE_MS))
  expect(disconnections).toBe(0)
  expect(errors).toEqual([])
  expect(clients.map(client => client.sockets.length)).toEqual(clients.map(() => 1))
  expect(clients.map(client => client.provider.wsconnected)).toEqual(clients.map(() => true))
  expect(providers.map(({ socket }) => socket.sockets.length)).toEqual(providers.map(() => 1))
  for (const client of clients) client.destroy()
  for (const { socket } of providers) socket.destroy()
}, 120_000)
