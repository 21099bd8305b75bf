// The live examples of the client on one page, beside a running server (`npm start`), with their bots.
import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { env } from 'node:process'
import { build, fail, install, root } from './prepare.mjs'

const DEFAULT_URL = 'http://127.0.0.1:9091'
const HOST = '127.0.0.1'
/** How long the server may take to answer, in ms. */
const ANSWER_MS = 5_000

/** `WEFT_URL`, as for `weft import`; without one, where `npm start` serves with the same settings. Ends without a slash. */
function serverUrl() {
  const given = env.WEFT_URL || `http://${env.WEFT_HOST || '127.0.0.1'}:${env.WEFT_PORT || '9091'}`
  const isAddress = /^(wss?|https?):\/\/[^/?#\\@]+(\/[^?#]*)?$/i.test(given) && URL.canParse(given)
  if (!isAddress) fail(`'${given}' is not the address of a server, like ${DEFAULT_URL}`)
  return given.replace(/^ws/i, 'http').replace(/\/+$/, '')
}

async function checkServer(server) {
  const answer = await fetch(`${server}/readyz`, { signal: AbortSignal.timeout(ANSWER_MS) }).catch(() => null)
  if (!answer?.ok) fail(`no Weft server at ${server}: npm start in another terminal`)
}

function checkPort(text) {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) fail(`WEFT_EXAMPLES_PORT is '${text}': not a port`)
  const probe = createServer()
  return new Promise(resolve => {
    probe.once('error', ({ code, message }) => {
      const reason = code === 'EADDRINUSE' ? `${HOST}:${port} is in use` : message
      fail(`${reason}; WEFT_EXAMPLES_PORT chooses a port`)
    })
    probe.listen(port, HOST, () => probe.close(resolve))
  })
}

// First what takes no time.
const server = serverUrl()
await checkServer(server)
await checkPort(env.WEFT_EXAMPLES_PORT || '9093')
install()
build()

const folder = join(root, 'packages', 'client', 'examples')
const url = `${server.replace(/^http/i, 'ws')}/examples/live`
const programs = [
  [join(folder, 'page', 'serve.mjs')],
  [join(folder, 'ticker.mjs'), url],
  [join(folder, 'four-in-a-row-bot.mjs'), url],
]
let isStopping = false
const children = programs.map(args =>
  spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'], env: { ...env, WEFT_URL: server } }),
)
const stop = () => {
  isStopping = true
  for (const child of children) child.kill('SIGINT')
}
process.on('SIGINT', stop)
process.on('SIGTERM', stop)
for (const child of children) {
  child.on('exit', code => {
    if (isStopping) return
    // One that ends by itself ends the others; its code is this command's.
    process.exitCode = code ?? 1
    stop()
  })
}
