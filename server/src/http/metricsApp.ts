import express, { type Express } from 'express'
import type { HostCheck } from '../access/HostCheck.ts'
import { COMMON_HEADERS, INERT_POLICY } from '../securityHeaders.ts'
import type { Metrics } from './Metrics.ts'

/** `GET /metrics`, for Prometheus. */
export function createMetricsApp(metrics: Metrics, hosts: HostCheck): Express {
  const app = express()
  app.disable('x-powered-by')
  app.use((request, response, next) => {
    response.set({ 'Content-Security-Policy': INERT_POLICY, ...COMMON_HEADERS })
    const refusal = hosts.refusal(request)
    if (refusal === null) next()
    else response.status(refusal[0]).type('text/plain').send(`${refusal[1]}\n`)
  })
  app.get('/metrics', async (_request, response) => {
    response.set('Content-Type', metrics.registry.contentType).send(await metrics.registry.metrics())
  })
  app.use((_request, response) => {
    response.status(404).type('text/plain').send('nothing is here but /metrics\n')
  })
  return app
}
