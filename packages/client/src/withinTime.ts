/**
 * What `work` gives, if it does so in time. It isn't stopped otherwise.
 * @param ms longest wait
 * @throws what `late` makes, when the time is over
 */
export async function withinTime<T>(work: T | Promise<T>, ms: number, late: () => Error): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), ms)
  })
  try {
    return await Promise.race([work, timeout])
  } finally {
    clearTimeout(timer)
  }
}
