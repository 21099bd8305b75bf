import { encodeSyncStep1 } from '@weft/protocol'
import { hocuspocusSocket, type ProviderVersion, providerVersions } from './hocuspocusClient.ts'
import { NOTHING, RawClient } from './RawClient.ts'
import { RawProvider } from './RawProvider.ts'
import type { ServerProcess } from './ServerProcess.ts'
import { type StockVersion, stockClient, stockVersions } from './stockClient.ts'

/** A stock client drops its socket when it hears nothing for 30 s: twice that, and some. Real time is the point here. */
export const ALONE_MS = 70_000

/** An unmodified client that nobody talks to. */
interface LoneClient {
  readonly name: string
  /** What is not as it was at the beginning; null: it is still connected, over its first socket. */
  change(): string | null
  end(): void
}

/** Clients that are alone in their documents, and say nothing but what they say by themselves. */
export interface LoneClients {
  /** Of every version and family; those of Hocuspocus also with no document left. */
  readonly unmodified: readonly LoneClient[]
  /** Answers no ping. */
  readonly mute: RawClient
  /** Answer pings, and say nothing else: in either dialect, and with no document. */
  readonly silent: readonly (RawClient | RawProvider)[]
  /** Data frames that each of the silent has got since it was left alone. */
  frames(): number[]
  /** Resolves when they have been alone for so long. */
  readonly waited: Promise<void>
  end(): void
}

export async function leaveAlone(server: ServerProcess): Promise<LoneClients> {
  const unmodified = await Promise.all([
    ...stockVersions.flatMap(version => [stock(server, version, true), stock(server, version, false)]),
    ...providerVersions.flatMap(version =>
      (['present', 'absent', 'without a document'] as const).map(what => hocuspocus(server, version, what)),
    ),
  ])
  const mute = await RawClient.connect(`${server.socketUrl}/mute`, { autoPong: false })
  mute.ask()
  await mute.next('syncStep2')
  const client = await RawClient.join(`${server.socketUrl}/silent`)
  const provider = await RawProvider.open(server, 'silent provider')
  provider.send(encodeSyncStep1(NOTHING))
  await provider.hears('step 2')
  const left = await RawProvider.open(server, 'left')
  left.send(Uint8Array.of(7))
  const counts = () => [client.received.length, provider.heard.length, left.heard.length]
  const before = counts()
  return {
    unmodified,
    mute,
    silent: [client, provider, left],
    frames: () => counts().map((count, i) => count - (before[i] ?? 0)),
    waited: new Promise(resolve => setTimeout(resolve, ALONE_MS)),
    end() {
      for (const one of unmodified) one.end()
      for (const one of [mute, client, provider, left]) one.cut()
    },
  }
}

async function stock(server: ServerProcess, version: StockVersion, isPresent: boolean): Promise<LoneClient> {
  const name = `y-websocket ${version}, ${isPresent ? 'present' : 'absent'}`
  const { provider, sockets, synced, destroy } = stockClient(version, server.socketUrl, name)
  await synced()
  // One that shows no presence has no echo of its own to live on.
  if (!isPresent) provider.awareness.setLocalState(null)
  let change: string | null = null
  provider.on('status', ({ status }: { status: string }) => {
    change ??= status
  })
  provider.on('connection-error', () => {
    change ??= 'an error'
  })
  return { name, change: () => change ?? describeChange(sockets.length, provider.wsconnected), end: destroy }
}

async function hocuspocus(
  server: ServerProcess,
  version: ProviderVersion,
  what: 'present' | 'absent' | 'without a document',
): Promise<LoneClient> {
  const name = `Hocuspocus provider ${version}, ${what}`
  const socket = hocuspocusSocket(version, server.socketUrl)
  // Version 2 tells no server of its awareness unless there is some.
  const client = socket.open(name, version === 2 ? {} : { token: 'anything' })
  await client.synced()
  if (what === 'present') client.provider.setAwarenessField('user', { name: 'Ann' })
  if (what === 'absent') client.provider.awareness?.setLocalState(null)
  if (what === 'without a document') client.destroy()
  return {
    name,
    change: () => describeChange(socket.sockets.length, socket.socket.status === 'connected'),
    end: () => socket.destroy(),
  }
}

function describeChange(sockets: number, isConnected: boolean): string | null {
  if (sockets !== 1) return `${sockets} sockets`
  return isConnected ? null : 'not connected'
}
