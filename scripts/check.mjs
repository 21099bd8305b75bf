// Types and lint of everything, tests included.
import { bin, build, install, run } from './prepare.mjs'

install()
build()
run(bin('tsc'), ['-b'])
run(bin('tsc'), ['-p', 'test'])
run(bin('biome'), ['ci', '--error-on-warnings', '.'])
