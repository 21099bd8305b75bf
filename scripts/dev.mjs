// Watches server and web: the page reloads by itself, the server restarts.
import { spawn } from 'node:child_process'
import { bin, build, install, root } from './prepare.mjs'

install()
build()
const start = (program, args) => spawn(program, args, { cwd: root, stdio: 'inherit' })
const children = [
  start(bin('tsc'), ['-b', '--watch', '--preserveWatchOutput', 'server', 'packages/client', 'packages/cli']),
  start(process.execPath, [
    '--watch-path=server/dist',
    '--watch-path=packages/protocol/dist',
    '--watch-preserve-output',
    'server/dist/main.js',
    ...process.argv.slice(2),
  ]),
  start('npm', ['run', 'dev', '--silent', '-w', 'web']),
]
const stop = () => {
  for (const child of children) child.kill('SIGTERM')
}
process.on('SIGINT', stop)
process.on('SIGTERM', stop)
for (const child of children) child.on('exit', stop)
