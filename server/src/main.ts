import { resolve } from 'node:path'
import { isLoopbackHost } from './access/address.ts'
import { asksForTokens } from './access/openKeys.ts'
import { collectWhenQuiet } from './collectWhenQuiet.ts'
import { createLogger } from './createLogger.ts'
import { helpText } from './describeSettings.ts'
import { WeftError } from './errors.ts'
import { explainLimits, inMiB, memoryBound } from './explainLimits.ts'
import { readConfig } from './readConfig.ts'
import { ConfigError } from './Setting.ts'
import { spareFewCores } from './spareFewCores.ts'
import { startServer, UNSTORED } from './startServer.ts'
import { unknownSettings } from './unknownSettings.ts'

/** Exit codes: 0 stopped, 1 a failure, 2 a wrong setting, 73 the store can't be used (sysexits.h: EX_CANTCREAT). */
const EXIT_FAILURE = 1
const EXIT_USAGE = 2
const EXIT_STORE = 73
/** The stop may take so long; then the process ends anyway. What is on disk is on disk. */
const STOP_LIMIT_MS = 4500

function fail(message: string, exitCode: number): never {
  process.stderr.write(`weft: ${message}\n`)
  process.exit(exitCode)
}

function explain(error: unknown): never {
  if (error instanceof ConfigError) fail(error.message, EXIT_USAGE)
  if (error instanceof WeftError) fail(error.message, error.code.startsWith('STORE_') ? EXIT_STORE : EXIT_FAILURE)
  if (error instanceof Error && 'code' in error) {
    if (error.code === 'EADDRINUSE')
      fail(`${error.message}: another program listens there; WEFT_PORT (--port) chooses a port`, EXIT_FAILURE)
    if (error.code === 'EACCES' || error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
      fail(`${error.message}: WEFT_HOST and WEFT_PORT (--host, --port) choose where to listen`, EXIT_FAILURE)
    }
  }
  throw error
}

async function main(): Promise<void> {
  const args = process.argv.slice(2)
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(helpText())
    return
  }
  const isExplaining = args.includes('--explain-limits')
  const config = readConfig(
    process.env,
    args.filter(arg => arg !== '--explain-limits'),
  )
  if (isExplaining) {
    process.stdout.write(explainLimits(config))
    return
  }
  spareFewCores()
  // What people write is in its files, LevelDB's too: only its owner may read them.
  process.umask(0o077)
  const logger = createLogger(config.logLevel)
  // A promise that was given up and fails is told, and ends nothing. (An error that is thrown where nobody catches it does: what
  // it left behind is unknown, and what was acknowledged is on disk.)
  process.on('unhandledRejection', error => logger.error({ err: error }, 'something failed that nobody waited for'))
  for (const warning of unknownSettings(process.env)) logger.warn(warning)
  const server = await startServer(config, logger)
  collectWhenQuiet()
  const places = [...config.publicUrls, server.url].join(' and ')
  process.stdout.write(`Weft is at ${places}\nDocuments are in ${resolve(config.data)}\n`)
  if (!asksForTokens(config)) {
    process.stdout.write(
      isLoopbackHost(config.host)
        ? 'Nobody is asked who they are, so it listens on this machine only\n'
        : 'Who reaches that address can read and write every document: nobody is asked who they are (--open)\n',
    )
  }
  process.stdout.write(
    `Memory stays below ${inMiB(memoryBound(config))}, whoever attacks it: --explain-limits says which settings make it less\n`,
  )

  let isStopping = false
  const stop = () => {
    // A second signal: now.
    if (isStopping) process.exit(EXIT_FAILURE)
    isStopping = true
    setTimeout(() => fail(UNSTORED, EXIT_FAILURE), STOP_LIMIT_MS).unref()
    server.stop().then(
      () => process.exit(0),
      error => {
        if (error instanceof WeftError) fail(error.message, EXIT_FAILURE)
        logger.fatal({ err: error }, 'the stop failed')
        process.exit(EXIT_FAILURE)
      },
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  // A terminal that is closed says so, too: with nothing to read anew, that is a stop.
  process.on('SIGHUP', server.reload ?? stop)
}

main().catch(explain)
