import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { describe, expect, it } from 'vitest'
import { bounds } from '../server/src/Meters.ts'
import { eventually } from './support/eventually.ts'
import { freePort } from './support/freePort.ts'
import { RawClient } from './support/RawClient.ts'
import { testServer } from './support/testServer.ts'
import { typist } from './support/typist.ts'

/** Values by name and labels, as Prometheus' text format has them. */
async function scrape(port: number): Promise<Map<string, number>> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`)
  expect([response.status, response.headers.get('content-type')]).toEqual([200, expect.stringContaining('text/plain')])
  const lines = (await response.text()).split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map(line => {
      const space = line.lastIndexOf(' ')
      return [line.slice(0, space), Number(line.slice(space + 1))]
    }),
  )
}

const namesIn = (text: string) => new Set(text.match(/\b(?:weft|nodejs|process)_[a-z0-9_]+/gu))

describe('metrics', () => {
  it('count what happens', async () => {
    const port = await freePort()
    const server = await testServer({ WEFT_METRICS_PORT: `${port}` })
    const [ann, bo] = [await RawClient.join(`${server.socketUrl}/a`), await RawClient.join(`${server.socketUrl}/b`)]
    await ann.commit(typist(1).type('x'), 1)
    await bo.leave()
    const metrics = await eventually('one connection', async () => {
      const values = await scrape(port)
      return values.get('weft_connections') === 1 && values
    })
    expect(metrics.get('weft_sessions')).toBe(1)
    expect(metrics.get('weft_rooms')).toBe(2)
    expect(metrics.get('weft_commit_seconds_count')).toBe(1)
    expect(metrics.get('weft_commit_entries_total')).toBe(1)
    expect(metrics.get('weft_ack_seconds_count')).toBe(1)
    expect(metrics.get('weft_closes_total{code="1000"}')).toBe(1)
    // Two joins of two messages, an update, an acknowledgement.
    expect(metrics.get('weft_received_messages_total')).toBe(6)
    expect(metrics.get('weft_sent_bytes_total')).toBeGreaterThanOrEqual(ann.receivedBytes + bo.receivedBytes)
    expect(metrics.get('weft_store_bytes')).toBeGreaterThan(0)
    expect(metrics.get('weft_compaction_debt_bytes')).toBeGreaterThan(0)
  })

  it('[threat P8] cannot be flooded with codes of clients', async () => {
    const port = await freePort()
    const server = await testServer({ WEFT_METRICS_PORT: `${port}` })
    for (const code of [3001, 3002]) {
      const client = await RawClient.join(`${server.socketUrl}/a`)
      client.socket.close(code)
      await client.closed
    }
    await eventually('both', async () => (await scrape(port)).get('weft_closes_total{code="other"}') === 2)
  })

  it('[threat P8] say by which bound somebody was refused, by names that there are from the start', async () => {
    const port = await freePort()
    const few = { WEFT_MAX_SESSIONS_PER_DOCUMENT: '1', WEFT_MAX_CONNECTIONS: '3', WEFT_MAX_MESSAGE_BYTES: '65536' }
    const server = await testServer({ ...few, WEFT_METRICS_PORT: `${port}` })
    const overBounds = async () =>
      [...(await scrape(port))]
        .filter(([name]) => name.startsWith('weft_over_bound_total'))
        .map(([name, value]) => [/bound="([a-z-]+)"/u.exec(name)?.[1], value] as const)
    const names = (await overBounds()).map(([name]) => name)
    expect(new Set(names)).toEqual(new Set(bounds))
    const url = `${server.socketUrl}/a`
    const first = await RawClient.join(url)
    const crowded = await RawClient.connect(url)
    crowded.ask()
    expect(await crowded.closed).toMatchObject({ code: 1013 })
    first.socket.send(new Uint8Array(70_000))
    expect(await first.closed).toMatchObject({ code: 1009 })
    await eventually('room', async () => (await scrape(port)).get('weft_connections') === 0)
    await Promise.all([1, 2, 3].map(() => RawClient.connect(url)))
    await expect(RawClient.connect(url)).rejects.toThrow('503')
    expect((await overBounds()).filter(([, value]) => value > 0)).toEqual([
      ['connections', 1],
      ['message-bytes', 1],
      ['sessions-of-document', 1],
    ])
  })

  it('are all on the dashboard, which shows nothing else', async () => {
    const port = await freePort()
    await testServer({ WEFT_METRICS_PORT: `${port}` })
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    const served = new Set([...text.matchAll(/^# TYPE (\S+) (\S+)$/gmu)].map(([, name]) => name ?? ''))
    const dashboard: unknown = JSON.parse(
      await readFile(new URL('../server/dashboards/weft.json', import.meta.url), 'utf8'),
    )
    const drawn = new Set([...namesIn(JSON.stringify(dashboard))].map(name => name.replace(/_(?:bucket|count)$/u, '')))
    expect([...drawn].filter(name => !served.has(name))).toEqual([])
    expect([...served].filter(name => name.startsWith('weft_') && !drawn.has(name))).toEqual([])
  })

  it('[threat P8] are for this machine: not for a page that gave it another name', async () => {
    const port = await freePort()
    await testServer({ WEFT_METRICS_PORT: `${port}` })
    const status = await new Promise<number | undefined>((resolve, reject) => {
      request({ port, host: '127.0.0.1', path: '/metrics', headers: { Host: 'evil.example' } }, response => {
        response.resume()
        resolve(response.statusCode)
      })
        .on('error', reject)
        .end()
    })
    expect(status).toBe(421)
  })

  it('that find their port taken are left out, with a warning', async () => {
    const port = await freePort()
    await testServer({ WEFT_METRICS_PORT: `${port}` })
    const second = await testServer({ WEFT_METRICS_PORT: `${port}` })
    await (await RawClient.join(`${second.socketUrl}/a`)).commit(typist(1).type('x'))
    await eventually('the warning', () => second.output.includes('WEFT_METRICS_PORT'))
  })
})
