import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { apiErrors } from './ApiError.ts'

it('has the table of PROTOCOL.md', () => {
  const text = readFileSync(new URL('../../../packages/protocol/PROTOCOL.md', import.meta.url), 'utf8')
  const rows = Object.entries(apiErrors).map(
    ([code, { status, meaning }]) => `| ${status} | \`${code}\` | ${meaning} |`,
  )
  const table = ['| status | code | meaning |', '| --- | --- | --- |', ...rows].join('\n')
  expect(text).toContain(`${table}\n`)
})
