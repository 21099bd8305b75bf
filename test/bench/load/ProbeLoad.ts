import { Agent, get } from 'node:http'
import type { Target } from './Client.ts'
import { Histogram, type HistogramData } from './Histogram.ts'

/** Time between an answer and the next question, ms. */
const REST_MS = 1

/** Asks a server again and again for what costs it nothing: how long its answer takes is how long its event loop was busy, at least. */
export class ProbeLoad {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  #latency = new Histogram()
  #isOver = true

  begin({ port }: Target): void {
    this.#latency = new Histogram()
    this.#isOver = false
    const ask = () => {
      const askedAt = performance.now()
      const failed = (error: Error) => {
        if (!this.#isOver) throw error
      }
      get({ host: '127.0.0.1', port, path: '/healthz', agent: this.#agent }, answer => {
        answer.resume().on('end', () => {
          this.#latency.add(performance.now() - askedAt)
          if (!this.#isOver) setTimeout(ask, REST_MS)
        })
      }).on('error', failed)
    }
    ask()
  }

  end(): HistogramData {
    this.#isOver = true
    return this.#latency.toJSON()
  }
}
