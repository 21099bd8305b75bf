/** Longest wait for what must happen, in ms: only a failing test gets there. */
export const PATIENCE_MS = 30_000

/**
 * Waits for a state of another process, of which no event tells.
 * @param check returns what it waits for, or false (null, undefined) as long as it isn't there
 * @throws when it doesn't come; `what` says what
 */
export async function eventually<T>(
  what: string,
  check: () => T | Promise<T>,
  patienceMs = PATIENCE_MS,
): Promise<Exclude<T, false | null | undefined>> {
  const end = performance.now() + patienceMs
  for (;;) {
    const result = await check()
    if (result !== false && result !== null && result !== undefined) {
      return result as Exclude<T, false | null | undefined>
    }
    if (performance.now() > end) throw new Error(`waited ${patienceMs} ms in vain for: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

/** Rejects when a promise takes too long; `what` says what was waited for. */
export async function within<T>(
  what: string | (() => string),
  promise: Promise<T>,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`waited ${patienceMs} ms in vain for: ${typeof what === 'string' ? what : what()}`)),
      patienceMs,
    )
  })
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer))
}
