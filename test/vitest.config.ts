import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { SlowFirst } from './SlowFirst.ts'

const isLong = process.env.WEFT_TEST_LONG === '1'

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    projects: [
      {
        extends: true,
        // They leave nothing behind: one process for many saves each of them the loading of what they have in common.
        test: { name: 'parts', include: ['{packages/*,server,web}/src/**/*.test.ts'], isolate: false },
      },
      { extends: true, test: { name: 'whole', include: ['test/**/*.test.ts'] } },
    ],
    globalSetup: 'test/support/buildFirst.mjs',
    testTimeout: isLong ? 45 * 60_000 : 60_000,
    hookTimeout: 60_000,
    // Most of their time tests wait, for processes that start and for clocks of the product's.
    maxWorkers: 3,
    sequence: { sequencer: SlowFirst },
    reporters: ['default'],
  },
})
