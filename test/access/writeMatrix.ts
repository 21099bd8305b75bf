// Fills in the table of SECURITY.md that says who may do what: `npx tsx test/access/writeMatrix.ts`.
import { readFileSync, writeFileSync } from 'node:fs'
import { matrixTable } from './matrix.ts'

const file = new URL('../../SECURITY.md', import.meta.url)
const [before = '', rest = ''] = readFileSync(file, 'utf8').split(/^\| \| no token that counts .*$/mu)
const end = rest.search(/\n\n/u)
if (end < 0) throw new Error('SECURITY.md has no table of who may do what')
writeFileSync(file, `${before}${matrixTable()}${rest.slice(end + 1)}`)
