// Everything: types, lint, unit, integration and browser tests. `--long` runs the large counts of test/rounds.ts.
import { bin, run } from './prepare.mjs'
import { systemPrograms } from './systemPrograms.mjs'
import './check.mjs'

const isLong = process.argv.includes('--long')
const rest = process.argv.slice(2).filter(arg => arg !== '--long')
const env = { ...process.env, ...systemPrograms(), WEFT_TEST_LONG: isLong ? '1' : '' }
run(bin('vitest'), ['run', '--config', 'test/vitest.config.ts', ...rest], { env })
