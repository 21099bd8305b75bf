import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { LevelUpdateLog } from './log/LevelUpdateLog.ts'
import { readConfig } from './readConfig.ts'
import { rehearse } from './rehearse.ts'
import { Workshop } from './worker/Workshop.ts'

it('serves its imaginary client to the end, and leaves nothing in the store', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'weft-rehearsal-'))
  const log = await LevelUpdateLog.open({ folder, create: true })
  const workshop = new Workshop({ threads: 1 })
  try {
    await rehearse(log, workshop, readConfig({}, []))
    const stored = []
    for await (const { documentId } of log.list({ deleted: true })) stored.push(documentId)
    expect(stored).toEqual([])
  } finally {
    await workshop.stop()
    await log.close()
    await rm(folder, { recursive: true })
  }
})
