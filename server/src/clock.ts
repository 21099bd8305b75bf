/** A timer that was set; only the clock that gave it can clear it. */
export type Timer = unknown

/** Time, as the server's parts see it: given to them, so that a test can move it. */
export interface Clock {
  /** Monotonic, in ms, with fractions; its zero is arbitrary. */
  now(): number
  /** ms since the epoch: for records and logs, never for measuring. */
  wallTime(): number
  setTimer(callback: () => void, delayMs: number): Timer
  clearTimer(timer: Timer): void
  /** Calls back once all input that is waiting now has been read. */
  soon(callback: () => void): void
}

/** A clock whose callbacks end nothing but themselves: what they throw is told. */
export function guardedClock(clock: Clock, failed: (error: unknown) => void): Clock {
  const guard = (callback: () => void) => () => {
    try {
      callback()
    } catch (error) {
      failed(error)
    }
  }
  return {
    now: () => clock.now(),
    wallTime: () => clock.wallTime(),
    setTimer: (callback, delayMs) => clock.setTimer(guard(callback), delayMs),
    clearTimer: timer => clock.clearTimer(timer),
    soon: callback => clock.soon(guard(callback)),
  }
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  setTimer: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimer: timer => clearTimeout(timer as NodeJS.Timeout),
  soon: callback => void setImmediate(callback),
}
