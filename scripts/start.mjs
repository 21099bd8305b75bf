import { build, install } from './prepare.mjs'

install()
build()
// In this process: signals and exit codes are the server's own.
await import('../server/bundle/main.js')
