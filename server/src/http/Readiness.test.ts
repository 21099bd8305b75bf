import { expect, it, vi } from 'vitest'
import { Readiness } from './Readiness.ts'

it('asks a disk that stalls only once, and says in time that it isn’t ready', async () => {
  vi.useFakeTimers()
  try {
    let answer = (_isReady: boolean) => {}
    let questions = 0
    const readiness = new Readiness(() => {
      questions++
      return new Promise(resolve => {
        answer = resolve
      })
    })
    for (let i = 0; i < 5; i++) {
      const asked = readiness.ask()
      await vi.advanceTimersByTimeAsync(2000)
      expect(await asked).toBe(false)
    }
    expect(questions).toBe(1)
    const asked = readiness.ask()
    answer(true)
    expect(await asked).toBe(true)
    expect(await readiness.ask()).toBe(true)
    await vi.advanceTimersByTimeAsync(1000)
    void readiness.ask()
    expect(questions).toBe(2)
  } finally {
    vi.useRealTimers()
  }
})
