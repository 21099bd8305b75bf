import { bin, build, install, run } from './prepare.mjs'

install()
build()
run(bin('tsx'), ['test/bench/main.ts', ...process.argv.slice(2)])
