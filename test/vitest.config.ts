import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const isLong = process.env.WEFT_TEST_LONG === '1'

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    include: ['{packages/*,server,web}/src/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: isLong ? 45 * 60_000 : 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    reporters: ['default'],
  },
})
