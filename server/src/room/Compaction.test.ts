import type { DocumentId } from '@weft/protocol'
import { pino } from 'pino'
import { expect, it } from 'vitest'
import type { Clock } from '../clock.ts'
import { Knowledge } from '../crdt/Knowledge.ts'
import { type ErrorCode, WeftError } from '../errors.ts'
import { noMeters } from '../Meters.ts'
import { Compaction } from './Compaction.ts'
import type { HeldBytes } from './HeldBytes.ts'
import { StoredBytes } from './StoredBytes.ts'
import { Tail } from './Tail.ts'

const stored = {
  head: 1,
  snapshotSeq: 0,
  snapshotBytes: 0,
  snapshot: null,
  knowledge: null,
  keptAfter: 0,
  keptStateVector: null,
  entries: [{ seq: 1, update: Uint8Array.of(0, 0), time: 1 }],
  deletedAt: null,
}

/** A compaction that is due, on a store and with a place for states before that both take until `fail` is called. */
function newCompaction() {
  const lines: { level: number; msg: string }[] = []
  const logger = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  let failures = 0
  let fail: (error: Error) => void = () => {}
  const untilFailed = () =>
    new Promise<never>((_, reject) => {
      fail = reject
    })
  const compaction = new Compaction(
    {
      documentId: 'a' as DocumentId,
      knowledge: new Knowledge(),
      tail: new Tail(stored, { tailBytes: 0, tailEntries: 0 }, 0),
      bytes: { load: async () => new StoredBytes(stored) } as unknown as HeldBytes,
      log: () => logger,
      isClosed: () => false,
      compacted: () => {},
    },
    {
      log: { compact: untilFailed },
      workshop: { compact: async () => ({ update: Uint8Array.of(0, 0), knowledge: new Uint8Array() }) as never },
      clock: { now: () => 0 } as Clock,
      meters: { ...noMeters, compactionFailed: () => void failures++ },
      keepState: untilFailed,
    },
  )
  return {
    compaction,
    /** Both are under way, and find this. */
    fail: async (code: ErrorCode) => {
      await new Promise(setImmediate)
      fail(new WeftError(code, 'of this test'))
      await new Promise(setImmediate)
    },
    told: () => ({ levels: lines.map(({ level }) => logger.levels.labels[level]), failures }),
  }
}

it.each(['STORE_CLOSED', 'WORKER_STOPPED'] as const)(
  'a stop that overtakes a compaction is no fault: %s',
  async code => {
    const { compaction, fail, told } = newCompaction()
    compaction.start()
    compaction.stop()
    await fail(code)
    expect(told()).toEqual({ levels: ['debug'], failures: 0 })
    expect(compaction.isBusy).toBe(false)
    compaction.start()
    expect(compaction.isBusy).toBe(false)
  },
)

it('a stop that overtakes the keeping of a state before is told, for that state is lost', async () => {
  const { compaction, fail, told } = newCompaction()
  compaction.keepState(1)
  compaction.stop()
  await fail('STORE_CLOSED')
  expect(told()).toEqual({ levels: ['warn'], failures: 0 })
})

it.each([
  ['STORE_CLOSED', false],
  ['WORKER_STOPPED', false],
  ['STORAGE_WRITE_FAILED', false],
  ['STORAGE_WRITE_FAILED', true],
] as const)('what else fails is a fault: %s, when the server stops: %s', async (code, isStopping) => {
  const compacting = newCompaction()
  compacting.compaction.start()
  const keeping = newCompaction()
  keeping.compaction.keepState(1)
  for (const { compaction, fail } of [compacting, keeping]) {
    if (isStopping) compaction.stop()
    await fail(code)
  }
  expect(compacting.told()).toEqual({ levels: ['error'], failures: 1 })
  expect(keeping.told().levels).toEqual(['error'])
})
