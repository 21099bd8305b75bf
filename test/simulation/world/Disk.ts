/// <reference path="../../../server/src/log/leveldown.d.ts" />
import type { Leveldown, LeveldownBatch, LeveldownIterator } from 'leveldown'
import type { Random } from '../../crdt/Random.ts'
import type { SimulatedClock } from '../SimulatedClock.ts'
import type { Counters } from './Counters.ts'
import type { ServerLife } from './Life.ts'

export interface DiskOperation {
  readonly key: Buffer
  /** null: deleted */
  readonly value: Buffer | null
}

export type DiskFault = 'write' | 'fsync' | 'read'

type Callback<T extends unknown[] = []> = (error: Error | null | undefined, ...result: T) => void

/** What is on a disk, under LevelDB: what a crash leaves of it is what was synced, and any prefix of the rest. */
export class Disk {
  /** What LevelDB has in memory and reads: a write is there when it has succeeded, and all that is in the files after an opening. */
  #live = new Map<string, Buffer>()
  /** What survives a power cut. */
  #durable = new Map<string, Buffer>()
  /** Written and not synced yet, oldest first: records of LevelDB's log. */
  #unsynced: (readonly DiskOperation[])[] = []
  /** Longest time of a call, in ms. */
  slownessMs = 4
  /** No fsync comes back before this. */
  stalledUntil = 0
  /** Nothing fits any more. */
  isFull = false
  /** Fails the n-th call from now on, once. */
  readonly #failures = new Map<DiskFault, number>()
  readonly clock: SimulatedClock
  readonly random: Random
  readonly counters: Counters
  /** Called with what has become durable, and with all that is there after a crash. */
  onDurable: (records: readonly (readonly DiskOperation[])[]) => void = () => {}
  /** Called when the server hears of all that is durable: its write has succeeded, or it has opened the store. */
  onTold: () => void = () => {}
  /** Called where LevelDB's thread is at work, by what it does. */
  onCall: (what: 'read' | 'write' | 'sync') => void = () => {}
  #lockedBy: ServerLife | null = null

  constructor(clock: SimulatedClock, random: Random, counters: Counters) {
    this.clock = clock
    this.random = random
    this.counters = counters
  }

  get isEmpty(): boolean {
    return this.#durable.size === 0 && this.#unsynced.length === 0
  }

  failCall(kind: DiskFault, number: number): void {
    this.#failures.set(kind, number)
  }

  clearFailures(): void {
    this.#failures.clear()
    this.isFull = false
    this.stalledUntil = 0
    this.slownessMs = 4
  }

  #fails(kind: DiskFault): boolean {
    const left = this.#failures.get(kind)
    if (left === undefined) return false
    if (left > 1) {
      this.#failures.set(kind, left - 1)
      return false
    }
    this.#failures.delete(kind)
    this.counters.add(`failed ${kind}`)
    return true
  }

  /** One random bit of what is stored of documents. @param random of the fault alone */
  flipBit(random: Random, prefix: number): string | null {
    const keys = [...this.#durable.keys()].filter(key => key.charCodeAt(0) === prefix && this.#live.has(key))
    if (keys.length === 0) return null
    const key = random.pick(keys.sort())
    const value = Buffer.from(this.#durable.get(key) ?? Buffer.alloc(0))
    if (value.length === 0) return null
    const at = random.below(value.length)
    value[at] = (value[at] ?? 0) ^ (1 << random.below(8))
    this.#durable.set(key, value)
    this.#live.set(key, value)
    this.counters.add('flipped bit')
    return key
  }

  /** The process died, or the power went: what is there now. */
  crash(isPowerCut: boolean): void {
    this.#lockedBy = null
    if (!isPowerCut) return
    const sizes = this.#unsynced.map(operations =>
      operations.reduce((sum, { value }) => sum + 24 + (value?.length ?? 0), 12),
    )
    let cut = this.random.below(sizes.reduce((sum, size) => sum + size, 0) + 1)
    const kept: (readonly DiskOperation[])[] = []
    for (const [index, operations] of this.#unsynced.entries()) {
      const size = sizes[index] ?? 0
      if (cut < size) {
        // LevelDB drops the record at the end of its log that was cut off.
        if (cut > 0) this.counters.add('torn record')
        break
      }
      cut -= size
      kept.push(operations)
    }
    this.#unsynced = []
    for (const operations of kept) apply(this.#durable, operations)
    this.onDurable(kept)
  }

  /** After a kill all that was written is there, and is synced some time. */
  syncAll(): void {
    const records = this.#unsynced
    this.#unsynced = []
    for (const operations of records) apply(this.#durable, operations)
    if (records.length > 0) this.onDurable(records)
  }

  /** Ordered, as it is now. */
  entries(gte: string, lt: string | null): [string, Buffer][] {
    const found: [string, Buffer][] = []
    for (const entry of this.#live) if (entry[0] >= gte && (lt === null || entry[0] < lt)) found.push(entry)
    return found.sort(([a], [b]) => (a < b ? -1 : 1))
  }

  get(key: Buffer): Buffer | undefined {
    return this.#live.get(nameOf(key))
  }

  handle(life: ServerLife): Leveldown {
    return new DiskHandle(this, life)
  }

  open(life: ServerLife): Error | null {
    if (this.#lockedBy !== null) return new Error('IO error: lock LOCK: already held by process')
    this.#lockedBy = life
    this.#live = new Map(this.#durable)
    for (const operations of this.#unsynced) apply(this.#live, operations)
    this.onTold()
    return null
  }

  close(): void {
    this.#lockedBy = null
  }

  /** A write's way to the disk; calls back once, with an error where it failed. */
  write(operations: readonly DiskOperation[], isSynced: boolean, life: ServerLife, done: Callback): void {
    this.onCall('write')
    this.later(life, () => {
      if (this.isFull) {
        this.counters.add('disk full')
        done(new Error('IO error: No space left on device'))
        return
      }
      if (this.#fails('write')) {
        done(new Error('IO error: Input/output error'))
        return
      }
      this.#unsynced.push(operations)
      if (!isSynced) {
        apply(this.#live, operations)
        done(null)
        return
      }
      this.onCall('sync')
      const stallMs = Math.max(0, this.stalledUntil - this.clock.now())
      if (stallMs > 0) this.counters.add('stalled fsync')
      this.later(
        life,
        () => {
          if (this.#fails('fsync')) {
            done(new Error('IO error: fdatasync: Input/output error'))
            return
          }
          this.syncAll()
          apply(this.#live, operations)
          // And the answer takes its time, too: a process can die between.
          this.later(life, () => {
            this.onTold()
            done(null)
          })
        },
        stallMs,
      )
    })
  }

  read<T>(life: ServerLife, look: () => T, done: (error: Error | null, found?: T) => void): void {
    this.onCall('read')
    this.later(life, () => {
      if (this.#fails('read')) done(new Error('IO error: Input/output error'))
      else done(null, look())
    })
  }

  later(life: ServerLife, run: () => void, extraMs = 0): void {
    this.clock.after(extraMs + this.random.next() * this.slownessMs, () => life.whenAwake(run))
  }
}

/** What leveldown gives; it ends the process where it is used in a state in which it may not be. */
class DiskHandle implements Leveldown {
  readonly #disk: Disk
  readonly #life: ServerLife
  #isOpen = false

  constructor(disk: Disk, life: ServerLife) {
    this.#disk = disk
    this.#life = life
  }

  #use(): void {
    if (!this.#isOpen) this.#life.world.problem('leveldown was used when it was not open, which ends the process')
  }

  open(_options: object, callback: Callback): void {
    const disk = this.#disk
    disk.later(this.#life, () => {
      const error = disk.open(this.#life)
      if (error === null) this.#isOpen = true
      callback(error)
    })
  }

  close(callback: Callback): void {
    this.#use()
    this.#isOpen = false
    const disk = this.#disk
    disk.later(this.#life, () => {
      disk.close()
      callback(null)
    })
  }

  getMany(keys: Buffer[], _options: object, callback: Callback<[(Buffer | undefined)[]]>): void {
    this.#use()
    this.#disk.read(
      this.#life,
      () => keys.map(key => this.#disk.get(key)),
      (error, values) => callback(error, values ?? []),
    )
  }

  batch(): LeveldownBatch {
    this.#use()
    const operations: DiskOperation[] = []
    const batch: LeveldownBatch = {
      put: (key, value) => {
        operations.push({ key, value })
        return batch
      },
      del: key => {
        operations.push({ key, value: null })
        return batch
      },
      write: ({ sync }, callback) => {
        this.#use()
        this.#disk.write(operations, sync, this.#life, callback)
      },
    }
    return batch
  }

  iterator({ gte, lt, limit = -1 }: { gte?: Buffer; lt?: Buffer; limit?: number }): LeveldownIterator {
    this.#use()
    const disk = this.#disk
    const life = this.#life
    const all = disk.entries(gte === undefined ? '' : nameOf(gte), lt === undefined ? null : nameOf(lt))
    const found = limit < 0 ? all : all.slice(0, limit)
    let at = 0
    let hasRead = false
    const step = (callback: Callback<[key?: Buffer, value?: Buffer]>) => {
      const entry = found[at++]
      if (entry === undefined) callback(null)
      else callback(null, Buffer.from(entry[0], 'latin1'), entry[1])
    }
    return {
      next: callback => {
        // One hop to the thread brings all of a short range.
        if (hasRead) {
          queueMicrotask(() => step(callback))
          return
        }
        hasRead = true
        disk.read(
          life,
          () => null,
          error => (error === null ? step(callback) : callback(error)),
        )
      },
      seek: target => {
        const name = nameOf(target)
        at = found.findIndex(([key]) => key >= name)
        if (at < 0) at = found.length
      },
      end: callback => queueMicrotask(() => callback(null)),
    }
  }

  approximateSize(_start: Buffer, _end: Buffer, callback: Callback<[number]>): void {
    this.#use()
    this.#disk.later(this.#life, () => callback(null, 0))
  }

  compactRange(_start: Buffer, _end: Buffer, callback: Callback): void {
    this.#use()
    this.#disk.later(this.#life, () => callback(null))
  }
}

function nameOf(key: Buffer): string {
  return key.toString('latin1')
}

function apply(map: Map<string, Buffer>, operations: readonly DiskOperation[]): void {
  for (const { key, value } of operations) {
    if (value === null) map.delete(nameOf(key))
    else map.set(nameOf(key), value)
  }
}
