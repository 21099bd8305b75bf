import type { Clock, Timer } from '../../server/src/clock.ts'

interface Event {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

/** Virtual time: nothing waits, and everything happens in an order that the seed decides. */
export class SimulatedClock {
  #now = 0
  #order = 0
  /** A binary heap, earliest first; of the same time, the one that was set first. */
  readonly #events: Event[] = []
  readonly #cancelled = new Set<Event>()

  now(): number {
    return this.#now
  }

  /** Events that are still to come. */
  get waitingCount(): number {
    return this.#events.length - this.#cancelled.size
  }

  after(delayMs: number, run: () => void): Event {
    const event = { at: this.#now + Math.max(0, delayMs), order: this.#order++, run }
    push(this.#events, event)
    return event
  }

  cancel(event: Event): void {
    this.#cancelled.add(event)
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
      if (this.#cancelled.delete(event)) continue
      this.#now = event.at
      event.run()
      await settled()
    }
    this.#now = end
  }

  /** This clock for one life of a server: when it dies, none of its timers rings any more. */
  forLife(life: { readonly isOver: boolean }): Clock {
    const alive = (callback: () => void) => () => {
      if (!life.isOver) callback()
    }
    return {
      now: () => this.#now,
      wallTime: () => 1_700_000_000_000 + Math.floor(this.#now),
      setTimer: (callback, delayMs): Timer => this.after(delayMs, alive(callback)),
      clearTimer: timer => this.cancel(timer as Event),
      soon: callback => {
        this.after(0, alive(callback))
      },
    }
  }
}

/** Everything that promises have to say has been said. */
function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
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
