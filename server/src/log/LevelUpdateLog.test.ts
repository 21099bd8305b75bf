import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LevelStore } from './LevelStore.ts'
import { LevelUpdateLog } from './LevelUpdateLog.ts'
import { everything } from './levelRecord.ts'
import { updateLogSuite } from './updateLogSuite.ts'

updateLogSuite('LevelUpdateLog', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'weft-log-'))
  return {
    open: () => LevelUpdateLog.open({ folder, create: true }),
    async fingerprint() {
      // LevelDB's files change with every opening; its records must not.
      const store = new LevelStore(folder)
      await store.open(false)
      const records = await store.scan(...everything)
      await store.close()
      const hash = createHash('sha256')
      for (const [key, value] of records) hash.update(key).update(value)
      return `${records.length} ${hash.digest('hex')}`
    },
    remove: () => rm(folder, { recursive: true }),
  }
})
