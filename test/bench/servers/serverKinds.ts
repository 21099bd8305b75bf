import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describePackage, peersFolder } from './installPeers.ts'
import type { ServerKind } from './ServerKind.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const relayProgram = fileURLToPath(new URL('programs/relay.mjs', import.meta.url))

/** Options for `node` from the environment, so that a server can be profiled where it is measured. */
const nodeOptions = (process.env.BENCH_NODE_OPTIONS ?? '').split(' ').filter(option => option !== '')

const node = (...args: string[]) => [process.execPath, ...nodeOptions, ...args]

/** @param main the built server's main file */
function weft(name: string, main: string): ServerKind {
  return {
    name,
    dialect: 'y-websocket',
    isWeft: true,
    isRelay: false,
    get description() {
      const version = name === 'weft' ? gitVersion() : main
      return `Weft ${version}, ${describePackage(root, 'leveldown')}, ${describePackage(root, 'ws')}`
    },
    launch: (port, folder) => ({
      command: node(main),
      env: { WEFT_HOST: '127.0.0.1', WEFT_PORT: `${port}`, WEFT_DATA: join(folder, 'weft'), WEFT_LOG_LEVEL: 'warn' },
    }),
  }
}

const hocuspocus: ServerKind = {
  name: 'hocuspocus',
  dialect: 'hocuspocus',
  isWeft: false,
  isRelay: false,
  get description() {
    const names = ['@hocuspocus/server', '@hocuspocus/extension-sqlite', 'better-sqlite3', 'ws', 'yjs']
    return `${names.map(name => describePackage(peersFolder, name)).join(', ')}; default settings`
  },
  launch: (port, folder) => ({
    command: node(join(peersFolder, 'hocuspocus.mjs')),
    env: { PORT: `${port}`, DATABASE: join(folder, 'hocuspocus.sqlite') },
  }),
}

const yWebsocket: ServerKind = {
  name: 'y-websocket',
  dialect: 'y-websocket',
  isWeft: false,
  isRelay: false,
  get description() {
    const own = describePackage(join(peersFolder, 'node_modules/y-websocket'), 'ws')
    const names = ['y-websocket', 'y-leveldb', 'leveldown', 'yjs']
    return `${names.map(name => describePackage(peersFolder, name)).join(', ')}, ${own}; bin/server.js, YPERSISTENCE`
  },
  launch: (port, folder) => ({
    command: node(join(peersFolder, 'node_modules/y-websocket/bin/server.js')),
    env: { HOST: '127.0.0.1', PORT: `${port}`, YPERSISTENCE: join(folder, 'y-leveldb') },
  }),
}

function relay(name: string, pauseMs: number, what: string): ServerKind {
  return {
    name,
    dialect: 'relay',
    isWeft: false,
    isRelay: true,
    get description() {
      return `${what}; no CRDT, no store; ${describePackage(root, 'ws')}`
    },
    launch: port => ({ command: node(relayProgram), env: { PORT: `${port}`, PAUSE_MS: `${pauseMs}` } }),
  }
}

/** All servers that can be measured, Weft first. */
export const serverKinds: readonly ServerKind[] = [
  weft('weft', join(root, 'server/bundle/main.js')),
  ...otherWeft(),
  hocuspocus,
  yWebsocket,
  relay('relay-ws', 0, 'a relay: `ws.send` to each client'),
  relay('relay-batch-10', 10, 'a relay that writes prepared frames every 10 ms'),
  relay('relay-batch-50', 50, 'a relay that writes prepared frames every 50 ms'),
]

/** `BENCH_WEFT_OTHER`: main file of another build of Weft, to see in one interleaved run what a change is worth. */
function otherWeft(): ServerKind[] {
  const main = process.env.BENCH_WEFT_OTHER
  return main === undefined ? [] : [weft('weft-other', main)]
}

function gitVersion(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], { cwd: root, encoding: 'utf8' }).trim()
  } catch {
    return '(version unknown)'
  }
}
