import { valueSymbol } from 'piscina'
import { MalformedUpdate } from '../../server/src/crdt/MalformedUpdate.ts'
import type { UpdateContents } from '../../server/src/crdt/readUpdate.ts'
import type { UpdateLimits } from '../../server/src/crdt/UpdateLimits.ts'
import { WeftError } from '../../server/src/errors.ts'
import { packUpdates } from '../../server/src/worker/packedUpdates.ts'
import * as tasks from '../../server/src/worker/tasks.ts'
import type { StoredLog, Workshop } from '../../server/src/worker/Workshop.ts'
import type { Random } from '../crdt/Random.ts'
import type { SimulatedClock } from './SimulatedClock.ts'
import type { Life } from './SimulatedStore.ts'

/** The tasks of the worker threads, run in place, each after a while of virtual time; some fail. */
export class SimulatedWorkshop {
  /** How likely a task fails. */
  failureRate = 0
  /** Called when one does. */
  failed: () => void = () => {}
  /** Called when a compaction begins. */
  compacts: () => void = () => {}
  readonly #clock: SimulatedClock
  readonly #random: Random
  readonly #life: Life

  constructor(clock: SimulatedClock, random: Random, life: Life) {
    this.#clock = clock
    this.#random = random
    this.#life = life
  }

  /** In the place of the real one, whose private fields a class of another name can't have. */
  asWorkshop(): Workshop {
    return this as unknown as Workshop
  }

  check(update: Uint8Array, limits: UpdateLimits): Promise<UpdateContents> {
    return this.#run(() => tasks.check({ update, limits }))
  }

  compact({ snapshot, updates }: StoredLog): Promise<tasks.CompactionResult> {
    this.compacts()
    const packed = packUpdates(updates)
    return this.#run(() => tasks.compact({ snapshot, updates: packed }))
  }

  diff(request: tasks.DiffTask): Promise<Uint8Array> {
    return this.#run(() => tasks.diff(request))
  }

  closedPart(request: StoredLog & { readonly update: Uint8Array }): Promise<tasks.ClosedPartResult> {
    const updates = packUpdates(request.updates)
    return this.#run(() => tasks.closedPart({ snapshot: request.snapshot, updates, update: request.update }))
  }

  async tidied(questions: tasks.TidiedTask['questions'], read: () => Promise<StoredLog>): Promise<tasks.TidiedResult> {
    const { snapshot, updates } = await read()
    return this.#run(() => tasks.tidied({ snapshot, updates: packUpdates(updates), questions }))
  }

  async #run<T>(task: () => unknown): Promise<T> {
    await new Promise<void>(resolve => {
      this.#clock.after(this.#random.below(100), () => {
        if (!this.#life.isOver) resolve()
      })
    })
    if (this.#random.chance(this.failureRate)) {
      this.failed()
      throw new WeftError('WORKER_FAILED', 'the worker ran out of memory')
    }
    const result = taskResult<T>(task())
    if (result.state === 'done') return result.value
    if (result.state === 'malformed') throw new MalformedUpdate(result.reason)
    throw new WeftError('DOCUMENT_INCOMPLETE', `the log has gaps: ${result.reason}`)
  }
}

/** What a task says, which it wraps so that its bytes are moved and not copied. */
export function taskResult<T>(result: unknown): tasks.TaskResult<T> {
  const isWrapped = typeof result === 'object' && result !== null && valueSymbol in result
  return (isWrapped ? Reflect.get(result, valueSymbol) : result) as tasks.TaskResult<T>
}
