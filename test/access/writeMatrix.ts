// Fills in the tables of SECURITY.md that say who may do what: `npx tsx test/access/writeMatrix.ts`.
import { readFileSync, writeFileSync } from 'node:fs'
import { bearerTable, matrixTable } from './matrix.ts'

const file = new URL('../../SECURITY.md', import.meta.url)
let text = readFileSync(file, 'utf8')

for (const table of [bearerTable(), matrixTable()]) {
  const head = `\n${table.slice(0, table.indexOf('\n') + 1)}`
  const start = text.indexOf(head) + 1
  const end = text.indexOf('\n\n', start)
  if (start === 0 || end < 0) throw new Error(`SECURITY.md has no table that begins with ${head}`)
  text = text.slice(0, start) + table + text.slice(end + 1)
}
writeFileSync(file, text)
