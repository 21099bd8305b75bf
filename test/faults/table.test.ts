import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')

it('each row of the client’s README ("When something fails") is a test', () => {
  const tests = ['./faultSuite.ts', './program.test.ts', '../browser/faults.test.ts'].map(read).join('')
  const table = read('../../packages/client/README.md').split('## When something fails')[1]?.split('\n## ')[0] ?? ''
  const rows = [...table.matchAll(/^\| ([^|]+?) +\|/gm)].map(([, row = '']) => row).slice(2)
  expect(rows.length).toBe(24)
  for (const row of rows) expect(tests).toContain(`it('${row}'`)
  expect(tests.match(/^ +it\('/gm)?.length).toBe(rows.length)
})
