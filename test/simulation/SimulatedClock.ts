import type { Clock, Timer } from '../../server/src/clock.ts'

interface Event {
  readonly at: number
  readonly order: number
  readonly run: () => void
  isCancelled: boolean
}

/** Virtual time: nothing waits, and everything happens in an order that the seed decides. */
export class SimulatedClock {
  #now = 0
  #order = 0
  /** A binary heap, earliest first; of the same time, the one that was set first. */
  readonly #events: Event[] = []
  readonly #settled: () => Promise<void>
  /** Called when all that one event brought about is over. */
  afterStep: (() => void) | null = null

  /** @param settled resolves when all that promises have to say has been said; default: and the sockets of this machine, too */
  constructor(settled: () => Promise<void> = turn) {
    this.#settled = settled
  }

  now(): number {
    return this.#now
  }

  /** Events that are still to come. */
  get waitingCount(): number {
    return this.#events.filter(event => !event.isCancelled).length
  }

  after(delayMs: number, run: () => void): Event {
    const event = { at: this.#now + Math.max(0, delayMs), order: this.#order++, run, isCancelled: false }
    push(this.#events, event)
    return event
  }

  cancel(event: Event): void {
    event.isCancelled = true
  }

  /** Something takes its time: what is due meanwhile is late. */
  spend(ms: number): void {
    this.#now += ms
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise(resolve => this.after(delayMs, resolve))
  }

  /** Lets everything happen up to a moment, in order; promises settle in between. */
  async runUntil(end: number): Promise<void> {
    for (;;) {
      const event = this.#events[0]
      if (event === undefined || event.at > end) break
      pop(this.#events)
      if (event.isCancelled) continue
      this.#now = Math.max(this.#now, event.at)
      event.run()
      await this.#settled()
      this.afterStep?.()
    }
    this.#now = Math.max(this.#now, end)
  }

  /** This clock for one life of a server: when it dies, none of its timers rings any more; while it is stopped, they are late. */
  forLife(life: LifeOfTimers): Clock {
    const alive = (run: () => void) => {
      if (life.whenAwake !== undefined) life.whenAwake(run)
      else if (!life.isOver) run()
    }
    return {
      now: () => this.#now,
      wallTime: () => 1_700_000_000_000 + Math.floor(this.#now),
      setTimer: (callback, delayMs): Timer => {
        const timer: SetTimer = { isCleared: false, event: null }
        timer.event = this.after(delayMs, () =>
          alive(() => {
            timer.event = null
            if (!timer.isCleared) callback()
          }),
        )
        return timer
      },
      clearTimer: timer => {
        const set = timer as SetTimer
        set.isCleared = true
        if (set.event !== null) this.cancel(set.event)
      },
      soon: callback => {
        this.after(0, () => alive(callback))
      },
    }
  }
}

/** Whose timers ring. */
export interface LifeOfTimers {
  readonly isOver: boolean
  /** Runs something at once, or when the process goes on, or never. */
  whenAwake?(run: () => void): void
}

interface SetTimer {
  isCleared: boolean
  event: Event | null
}

function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

/** Where nothing but promises is waited for: a tick comes when none of them has anything to do, and costs a hundredth of a turn. */
export function tick(): Promise<void> {
  return new Promise(resolve => process.nextTick(resolve))
}

const isBefore = (a: Event, b: Event) => a.at < b.at || (a.at === b.at && a.order < b.order)

function push(heap: Event[], event: Event): void {
  heap.push(event)
  for (let child = heap.length - 1; child > 0; ) {
    const parent = (child - 1) >> 1
    if (!swapIfBefore(heap, child, parent)) return
    child = parent
  }
}

function pop(heap: Event[]): void {
  const last = heap.pop()
  if (heap.length === 0 || last === undefined) return
  heap[0] = last
  for (let parent = 0; ; ) {
    const left = 2 * parent + 1
    if (left >= heap.length) return
    const [a, b] = [heap[left], heap[left + 1]]
    const child = a !== undefined && b !== undefined && isBefore(b, a) ? left + 1 : left
    if (!swapIfBefore(heap, child, parent)) return
    parent = child
  }
}

function swapIfBefore(heap: Event[], child: number, parent: number): boolean {
  const [a, b] = [heap[child], heap[parent]]
  if (a === undefined || b === undefined || !isBefore(a, b)) return false
  heap[child] = b
  heap[parent] = a
  return true
}
