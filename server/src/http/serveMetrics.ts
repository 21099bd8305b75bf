import { createServer, type Server } from 'node:http'
import type { Logger } from 'pino'
import { HostCheck } from '../access/HostCheck.ts'
import type { Config } from '../config.ts'
import { guard, listen } from './listen.ts'
import type { Metrics } from './Metrics.ts'
import { createMetricsApp } from './metricsApp.ts'

/** Serves the metrics on a port of their own. @returns null where it can't listen: documents matter more than their numbers */
export async function serveMetrics(
  metrics: Metrics,
  { metricsHost: host, metricsPort: port }: Pick<Config, 'metricsHost' | 'metricsPort'>,
  logger: Logger,
): Promise<Server | null> {
  const server = createServer(createMetricsApp(metrics, new HostCheck([], host, logger)))
  guard(server, logger)
  try {
    await listen(server, { host, port }, logger)
    return server
  } catch (error) {
    const why = error instanceof Error ? error.message : error
    logger.warn(`metrics can't be served: ${why}; WEFT_METRICS_PORT (--metrics-port) chooses a port (0: none)`)
    return null
  }
}
