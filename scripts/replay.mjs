import { bin, build, install, run } from './prepare.mjs'

install()
build()
run(bin('tsx'), ['test/replay/main.ts', ...process.argv.slice(2)])
