import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { Coverage } from './bench/load/Coverage.ts'
import { Histogram } from './bench/load/Histogram.ts'
import { Random } from './bench/load/Random.ts'
import { encodeTypedUpdate } from './bench/load/typedUpdate.ts'
import { mediansOf } from './bench/report.ts'
import { runScenario } from './bench/runScenario.ts'
import { typing } from './bench/scenarios/typing.ts'
import type { ServerKind } from './bench/servers/ServerKind.ts'
import { serverKinds } from './bench/servers/serverKinds.ts'

const tiny = {
  name: 'tiny',
  title: 'three people',
  documents: 2,
  writers: 3,
  readers: 1,
  perSecond: 10,
  seconds: 1,
  quickSeconds: 1,
  patienceMs: 500,
}

/** A relay that loses every tenth message. */
const lossyRelay = `
  import { WebSocketServer } from 'ws'
  const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.env.PORT) })
  let count = 0
  server.on('connection', (client, { url }) => {
    client.room = url
    client.on('message', message => {
      if (++count % 10 === 0) return
      for (const other of server.clients) if (other !== client && other.room === client.room) other.send(message)
    })
  })
`

describe('the benchmark', () => {
  it('types the very bytes that Yjs makes', () => {
    const doc = new Y.Doc()
    doc.clientID = 3_000_000_123
    const updates: Uint8Array[] = []
    doc.on('update', (update: Uint8Array) => updates.push(update))
    for (const char of 'typed') doc.getText('text7').insert(doc.getText('text7').length, char)
    const typed = [...'typed'].map((char, clock) => encodeTypedUpdate(doc.clientID, 'text7', clock, Buffer.from(char)))
    expect(typed.map(update => [...update])).toEqual(updates.map(update => [...update]))
  })

  it('counts what updates hold as Yjs does, in any order', () => {
    const random = new Random(5)
    const doc = new Y.Doc()
    const updates: Uint8Array[] = []
    doc.on('update', (update: Uint8Array) => updates.push(update))
    const text = doc.getText('text')
    for (let i = 0; i < 300; i++) {
      if (i % 50 === 0) doc.clientID = random.clientID()
      if (random.below(4) === 0 && text.length > 3) text.delete(random.below(text.length - 3), 3)
      else text.insert(random.below(text.length + 1), ['a', 'é', '€', '🧵', 'words'][random.below(5)] ?? '')
    }
    const expected = Y.decodeStateVector(Y.encodeStateVector(doc))
    for (const received of [updates, updates.toReversed(), [Y.encodeStateAsUpdate(doc)], [Y.mergeUpdates(updates)]]) {
      const coverage = new Coverage()
      for (const update of received) coverage.add(update)
      expect([...coverage.next].sort()).toEqual([...expected].sort())
    }
    const gap = new Coverage()
    for (const update of updates.slice(1)) gap.add(update)
    expect(gap.holds(expected)).toBe(false)
  })

  it('tells quantiles to within 2 %', () => {
    const histogram = new Histogram()
    for (let ms = 1; ms <= 1000; ms++) histogram.add(ms)
    expect(Math.abs(histogram.quantile(0.5) / 500 - 1)).toBeLessThan(0.025)
    expect(Math.abs(histogram.quantile(0.99) / 990 - 1)).toBeLessThan(0.025)
    expect(histogram.max).toBe(1000)
  })

  it('leaves failed runs out of the medians', () => {
    const columns = [{ key: 'cpu', title: 'CPU' }]
    const good = [3, 1, 2].map(cpu => ({ figures: { cpu }, problems: [] }))
    expect(mediansOf(columns, [...good, { figures: { cpu: 0 }, problems: ['lost'] }])).toEqual({ cpu: 2 })
  })

  it('runs against the built server', async () => {
    const weft = serverKinds.find(kind => kind.name === 'weft')
    if (weft === undefined) throw new Error('no Weft')
    const { figures, problems } = await runScenario(typing(tiny), weft, { isQuick: true, traceFile: null })
    expect(problems).toEqual([])
    expect(figures.p99).toBeGreaterThan(0)
    expect(figures.frames).toBeGreaterThan(0)
  })

  it('fails a run in which something got lost', async () => {
    const lossy: ServerKind = {
      name: 'lossy',
      dialect: 'relay',
      isWeft: false,
      isRelay: true,
      description: 'a relay that loses messages',
      launch: port => ({
        command: [process.execPath, '--input-type=module', '--eval', lossyRelay],
        env: { PORT: `${port}` },
      }),
    }
    const { problems } = await runScenario(typing(tiny), lossy, { isQuick: true, traceFile: null })
    expect(problems.join()).toMatch(/deliveries are missing/u)
  })
})
