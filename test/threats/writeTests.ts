// Fills in the column of tests in SECURITY.md: `npx tsx test/threats/writeTests.ts`.
import { readFileSync, writeFileSync } from 'node:fs'
import { findMarkers, withTests } from './threatTable.ts'

const file = new URL('../../SECURITY.md', import.meta.url)
writeFileSync(file, withTests(readFileSync(file, 'utf8'), findMarkers()))
