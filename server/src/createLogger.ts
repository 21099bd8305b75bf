import pino, { type Logger } from 'pino'
import pretty from 'pino-pretty'

/** Structured logs on standard error: JSON lines, or readable ones on a terminal. Never what people write. */
export function createLogger(level: string): Logger {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  if (!process.stderr.isTTY) return pino(options, pino.destination({ fd: 2, sync: false }))
  return pino(options, pretty({ destination: 2, sync: true, translateTime: 'SYS:HH:MM:ss', ignore: 'pid,hostname' }))
}
