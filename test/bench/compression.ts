// What `permessage-deflate` saves and costs, on this machine: npx tsx test/bench/compression.ts [TRACE]
import { decodeMessage, encodeSyncStep1, encodeSyncStep2 } from '@weft/protocol'
import { WebSocket } from 'ws'
import * as Y from 'yjs'
import { encodeUpdateFrame } from '../../server/src/room/encodeFrame.ts'
import { FrameCompressor } from '../../server/src/socket/FrameCompressor.ts'
import { NO_UPDATE, NOTHING, RawClient } from '../support/RawClient.ts'
import { ServerProcess } from '../support/ServerProcess.ts'
import { makeTemporaryFolder, removeFolder } from '../support/temporaryFolder.ts'
import { type Source, TestDocument } from './load/TestDocument.ts'
import { ProcessUsage } from './servers/ProcessUsage.ts'

const JOINS = 20

/** Opens a document. @returns bytes that came and ms until the client had all */
async function join(url: string, perMessageDeflate: boolean): Promise<{ bytes: number; ms: number }> {
  const begin = performance.now()
  const socket = new WebSocket(url, { perMessageDeflate })
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('open', () => {
      socket.send(encodeSyncStep1(NOTHING))
      socket.send(encodeSyncStep2(NO_UPDATE))
    })
    socket.on('message', (data: Buffer) => decodeMessage(new Uint8Array(data)).type === 'syncStep2' && resolve())
  })
  const bytes = (Reflect.get(socket, '_socket') as { bytesRead: number }).bytesRead
  const ms = performance.now() - begin
  await new Promise(resolve => {
    socket.on('close', resolve)
    socket.terminate()
  })
  return { bytes, ms }
}

async function measureJoins(name: string, source: Source): Promise<void> {
  const document = TestDocument.make(source, source.kind === 'prose' ? 500 : 1000)
  for (const compression of ['off', 'on']) {
    const folder = await makeTemporaryFolder()
    const server = await ServerProcess.start({ folder, env: { WEFT_COMPRESSION: compression } })
    const url = `${server.socketUrl}/measured`
    const writer = await RawClient.join(url)
    await writer.commit(document.state)
    await writer.leave()
    await server.stop()
    await server.start()
    // The code is warm, the document is not.
    for (let i = 0; i < JOINS; i++) await join(`${server.socketUrl}/small`, true)
    const first = await join(url, true)
    const usage = new ProcessUsage(server.pid)
    const before = usage.cpuMs
    const more = []
    for (let i = 0; i < JOINS; i++) more.push((await join(url, true)).ms)
    const cpuMs = (usage.cpuMs - before) / JOINS
    more.sort((a, b) => a - b)
    console.log(
      `${name}, ${document.state.length} bytes, compression ${compression}: ${first.bytes} bytes to a client;`,
      `the first has it after ${first.ms.toFixed(0)} ms, the next ones after ${more[JOINS / 2]?.toFixed(0)} ms,`,
      `server CPU for each ${cpuMs.toFixed(1)} ms`,
    )
    await server.stop()
    await removeFolder(folder)
  }
}

/** A batch of keystrokes of many people, as it is broadcast. */
function measureBatch(people: number): void {
  const docs = Array.from({ length: people }, () => new Y.Doc())
  const updates: Uint8Array[] = []
  for (const [i, doc] of docs.entries()) {
    doc.getText('text').insert(0, 'what was there before')
    doc.on('update', update => updates.push(update))
    doc.getText('text').insert(10, String.fromCharCode(97 + (i % 26)))
  }
  const frame = encodeUpdateFrame(Y.mergeUpdates(updates))
  const rounds = 2000
  let bytes = 0
  const begin = performance.now()
  for (let i = 0; i < rounds; i++) {
    const compressed = new FrameCompressor().compress(frame)
    bytes = compressed instanceof Promise ? 0 : compressed.length
  }
  const us = ((performance.now() - begin) * 1000) / rounds
  console.log(
    `a batch of ${people} people's keystrokes: ${frame.length} bytes, compressed ${bytes} bytes in ${us.toFixed(0)} µs, once`,
  )
}

const [trace] = process.argv.slice(2)
for (const people of [10, 50, 100, 300]) measureBatch(people)
await measureJoins('prose', { kind: 'prose', bytes: 4_000_000, seed: 1 })
if (trace !== undefined) await measureJoins('trace', { kind: 'trace', file: trace })
