#!/usr/bin/env node
// A file of its own because npm links only what is there when it installs, and `bundle` is built after that.
import { existsSync } from 'node:fs'

if (existsSync(new URL('../bundle/main.js', import.meta.url))) await import('../bundle/main.js')
else {
  process.stderr.write('weft: not built yet: npm run build\n')
  process.exitCode = 1
}
