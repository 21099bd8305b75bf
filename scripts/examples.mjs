// The live examples of the client on one page, beside a running server (`npm start`), with their bots.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { build, install, root } from './prepare.mjs'

install()
build()
const folder = join(root, 'packages', 'client', 'examples')
const url = `ws://${process.env.WEFT_HOST ?? '127.0.0.1'}:${process.env.WEFT_PORT ?? '9091'}/examples/live`
const programs = [
  [join(folder, 'page', 'serve.mjs')],
  [join(folder, 'ticker.mjs'), url],
  [join(folder, 'four-in-a-row-bot.mjs'), url],
]
const children = programs.map(args => spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] }))
const stop = () => {
  for (const child of children) child.kill('SIGINT')
}
process.on('SIGINT', stop)
process.on('SIGTERM', stop)
for (const child of children) child.on('exit', stop)
