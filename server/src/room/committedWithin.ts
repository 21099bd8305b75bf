import type { Clock } from '../clock.ts'
import { WeftError } from '../errors.ts'
import type { Room } from './Room.ts'

/** Longest wait for the disk, in ms. Longer ones are those of a disk that fails. */
const COMMIT_LIMIT_MS = 20_000

/**
 * Resolves when a batch is on disk.
 * @throws {Error} it never will be. {WeftError} `STORAGE_WRITE_FAILED`: it isn't yet
 */
export async function committedWithin(room: Room, batch: number, clock: Clock): Promise<void> {
  let giveUp = () => {}
  const limit = new Promise<never>((_, reject) => {
    giveUp = () => reject(new WeftError('STORAGE_WRITE_FAILED', 'the disk has not taken it yet; it may still do'))
  })
  const timer = clock.setTimer(() => giveUp(), COMMIT_LIMIT_MS)
  try {
    await Promise.race([room.whenCommitted(batch), limit])
  } finally {
    clock.clearTimer(timer)
  }
}
