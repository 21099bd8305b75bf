import pino, { type Logger } from 'pino'
import pretty from 'pino-pretty'

/** Bytes of lines that wait for a slow or full place; beyond that they are dropped. */
const MAX_WAITING = 1024 * 1024

/** Structured logs on standard error: JSON lines, or readable ones on a terminal. Never what people write. */
export function createLogger(level: string): Logger {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  if (!process.stderr.isTTY) {
    const destination = pino.destination({ fd: 2, sync: false, maxLength: MAX_WAITING })
    // A log that can't be written (its disk is full, say) must not end or stop the process: lines are lost instead.
    destination.on('error', () => {
      // At the end of the process it would try to write the rest for ever.
      destination.flushSync = () => {}
    })
    return pino(options, destination)
  }
  return pino(options, pretty({ destination: 2, sync: true, translateTime: 'SYS:HH:MM:ss', ignore: 'pid,hostname' }))
}
