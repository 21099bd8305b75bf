import { describe, expect, it } from 'vitest'
import { SaveTracker } from './SaveTracker.ts'

/** What has become of a promise by now. */
async function state(promise: Promise<void>): Promise<string> {
  return Promise.race([
    promise.then(
      () => 'resolved',
      (error: Error) => `rejected: ${error.message}`,
    ),
    Promise.resolve().then(() => Promise.resolve().then(() => 'pending')),
  ])
}

describe('SaveTracker', () => {
  it('has nothing unsaved before the first edit', async () => {
    const tracker = new SaveTracker()
    expect(tracker.unsavedCount).toBe(0)
    expect(await state(tracker.whenSaved())).toBe('resolved')
  })

  it('[S1] rises only to a version that exists, and never falls', () => {
    const tracker = new SaveTracker()
    tracker.edited()
    tracker.edited()
    expect(tracker.acknowledged(3)).toBe(false)
    expect(tracker.unsavedCount).toBe(2)
    expect(tracker.acknowledged(1)).toBe(true)
    expect(tracker.acknowledged(0)).toBe(false)
    expect(tracker.acknowledged(1)).toBe(false)
    expect(tracker.unsavedCount).toBe(1)
  })

  it('[S2] resolves each waiter at its own version', async () => {
    const tracker = new SaveTracker()
    tracker.edited()
    const first = tracker.whenSaved()
    tracker.edited()
    const second = tracker.whenSaved()
    tracker.acknowledged(1)
    expect(await state(first)).toBe('resolved')
    expect(await state(second)).toBe('pending')
    tracker.acknowledged(2)
    expect(await state(second)).toBe('resolved')
  })

  it('[S2] tells all who wait when the save does not come, and keeps counting', async () => {
    const tracker = new SaveTracker()
    tracker.edited()
    const waiting = tracker.whenSaved()
    tracker.fail(new Error('gone'))
    expect(await state(waiting)).toBe('rejected: gone')
    expect(tracker.unsavedCount).toBe(1)
    tracker.acknowledged(1)
    expect(await state(tracker.whenSaved())).toBe('resolved')
  })
})
