import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DocumentId, partOf } from '@weft/protocol'
import { expect, it, onTestFinished } from 'vitest'
import type { Clock } from '../clock.ts'
import { LevelUpdateLog } from '../log/LevelUpdateLog.ts'
import { holdsContent } from '../log/UpdateLog.ts'
import type { Workshop } from '../worker/Workshop.ts'
import { KeptStates } from './KeptStates.ts'

const a = 'a' as DocumentId
const update = Uint8Array.of(0, 0)

async function stored() {
  const folder = await mkdtemp(join(tmpdir(), 'weft-kept-'))
  const log = await LevelUpdateLog.open({ folder, create: true })
  onTestFinished(async () => {
    await log.close()
    await rm(folder, { recursive: true })
  })
  await log.append([{ documentId: a, after: 0, updates: [update], time: 1 }])
  return log
}

/** Keeps the state of a document that is deleted while a worker makes its snapshot. */
function keeper(log: LevelUpdateLog, meanwhile: () => Promise<void>): KeptStates {
  const compact = async () => {
    await meanwhile()
    return { update }
  }
  return new KeptStates(log, { compact } as unknown as Workshop, { wallTime: () => 2 } as Clock)
}

it('keeps nothing of a document that was deleted for good meanwhile', async () => {
  const log = await stored()
  const kept = keeper(log, async () => {
    await log.delete(a, 2)
    await log.delete(partOf(a, 'before-1'), 2)
  })
  expect(await kept.keep(a, { snapshot: null, updates: [update] })).toBe(null)
  const part = await log.open(partOf(a, 'before-1'))
  expect([part.deletedAt, holdsContent(part)]).toEqual([2, false])
})

it('puts what it keeps of a document in the bin there, too', async () => {
  const log = await stored()
  const kept = keeper(log, () => log.bin(a, 2))
  expect(await kept.keep(a, { snapshot: null, updates: [update] })).toBe(null)
  const part = await log.open(partOf(a, 'before-1'))
  expect([part.deletedAt, holdsContent(part)]).toEqual([2, true])
})
