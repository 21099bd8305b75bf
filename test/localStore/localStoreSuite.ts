import { createHash } from 'node:crypto'
import type { LocalStore } from '@weft/client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Random } from '../crdt/Random.ts'
import { type Program, storeIn } from './Program.ts'

/** A place for stores: a folder, or a browser's profile. Made anew for every test. */
export interface StorePlace {
  /** A program that keeps its documents here: a process, or a tab. */
  program(): Promise<Program>
  /** Kills all that runs here, in the hardest way there is. */
  killAll(): Promise<void>
  /** What is stored of a document, in a form that differs when anything was written; and its size in bytes. No store is open. */
  look(name: string): Promise<{ fingerprint: string; bytes: number }>
  /** Makes the second row of a document unreadable. No store is open. */
  damage(name: string): Promise<void>
  /** Ends the narrowness of a small place. */
  makeRoom(): Promise<void>
  remove(): Promise<void>
}

/** What becomes of a second program that opens the same document. */
export type Sharing = 'both write' | 'the second is locked out'

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
/** An update in words: its bytes, or what tells it apart. */
function words(update: Uint8Array): string {
  return update.length < 10
    ? update.join(' ')
    : `${update.length} bytes, ${createHash('sha256').update(update).digest('hex')}`
}

/** Bytes that can't be compressed. */
function large(seed: number): Uint8Array {
  const random = new Random(seed)
  return Uint8Array.from({ length: 300_000 }, () => random.below(256))
}

/** The contract of `LocalStore`, for every implementation, in real programs that are really killed. */
export function localStoreSuite(
  name: string,
  sharing: Sharing,
  make: () => Promise<StorePlace>,
  /** With a few megabytes of room; `null`: this machine can't. */
  makeSmall: (() => Promise<StorePlace>) | null,
): void {
  describe(`${name} keeps the contract of LocalStore`, () => {
    let place: StorePlace
    let program: Program
    let store: LocalStore
    const noLoss = () => {}
    const read = async (): Promise<string[]> => {
      const { updates, damage } = await store.open(noLoss)
      expect(damage).toBe(null)
      return updates.map(words)
    }
    const reopened = async (): Promise<string[]> => {
      await store.close()
      return read()
    }

    beforeEach(async () => {
      place = await make()
      program = await place.program()
      store = storeIn(program, 'team/notes')
    })
    afterEach(() => place.remove())

    it('opens what nobody has written as empty, whole', async () => {
      expect(await store.open(noLoss)).toEqual({ updates: [], damage: null })
      await store.close()
    })

    it('brings what was written, in its order', async () => {
      await store.open(noLoss)
      await store.append([bytes(1), bytes(2, 2), bytes()])
      await store.append([bytes(0, 255, 4)])
      expect(await reopened()).toEqual(['1', '2 2', '', '0 255 4'])
      await store.append([bytes(5)])
      expect(await reopened()).toEqual(['1', '2 2', '', '0 255 4', '5'])
    })

    it('keeps documents apart', async () => {
      await store.open(noLoss)
      await store.append([bytes(1)])
      await store.close()
      const other = storeIn(program, 'team/note')
      expect((await other.open(noLoss)).updates).toEqual([])
      await other.append([bytes(9)])
      await other.close()
      expect(await read()).toEqual(['1'])
    })

    it('replaces what it has read and written', async () => {
      await store.open(noLoss)
      await store.append([bytes(1), bytes(2)])
      await reopened()
      await store.append([bytes(3)])
      await store.replace(bytes(1, 2, 3))
      await store.append([bytes(4)])
      expect(await reopened()).toEqual(['1 2 3', '4'])
      await store.replace(bytes(1, 2, 3, 4))
      await store.replace(bytes(1, 2, 3, 4, 5))
      expect(await reopened()).toEqual(['1 2 3 4 5'])
    })

    it('writes nothing when it is opened', async () => {
      await store.open(noLoss)
      await store.append([bytes(1), bytes(2)])
      await store.close()
      const before = (await place.look('team/notes')).fingerprint
      for (let i = 0; i < 3; i++) {
        await store.open(noLoss)
        await store.close()
      }
      expect((await place.look('team/notes')).fingerprint).toBe(before)
    })

    it('does not grow by what has been replaced', async () => {
      await store.open(noLoss)
      for (let i = 0; i < 20; i++) {
        await store.append([large(i), large(i + 1)])
        await store.replace(large(i))
      }
      expect(await reopened()).toEqual([words(large(19))])
      await store.close()
      // 18 MB were written.
      expect((await place.look('team/notes')).bytes).toBeLessThan(7_000_000)
    })

    it('keeps what it has confirmed when its program is killed', async () => {
      await store.open(noLoss)
      await store.append([bytes(1)])
      await store.append([bytes(2), large(3)])
      await program.kill()
      program = await place.program()
      store = storeIn(program, 'team/notes')
      expect(await read()).toEqual(['1', '2', words(large(3))])
      await store.replace(bytes(1, 2, 3))
      await place.killAll()
      program = await place.program()
      store = storeIn(program, 'team/notes')
      expect(await read()).toEqual(['1 2 3'])
    })

    it('has all of a write or nothing when its program is killed meanwhile', async () => {
      await store.open(noLoss)
      await store.append([bytes(1), bytes(2)])
      const killed = expect(store.replace(bytes(1, 2))).rejects.toThrow('killed')
      await Promise.all([program.kill(), killed.catch(() => {})])
      program = await place.program()
      store = storeIn(program, 'team/notes')
      expect(['1, 2', '1 2']).toContain((await read()).join(', '))
    })

    it('takes no writes when it is closed', async () => {
      await store.open(noLoss)
      await store.close()
      await store.close()
      await expect(store.append([bytes(1)])).rejects.toThrow('not open')
      expect(await read()).toEqual([])
    })

    it('tells what it can’t read, brings the rest, and leaves all as it is', async () => {
      await store.open(noLoss)
      await store.append([bytes(1), bytes(2), bytes(3)])
      await store.close()
      await place.damage('team/notes')
      const before = (await place.look('team/notes')).fingerprint
      const { updates, damage } = await store.open(noLoss)
      expect(updates.map(words)).toEqual(['1', '3'])
      expect(damage).toMatch(/2 of 3|1 of 3/)
      await store.close()
      expect((await place.look('team/notes')).fingerprint).toBe(before)
    })

    it.skipIf(makeSmall === null)(
      'tells when there is no room, has stored nothing of that, and goes on when there is',
      async () => {
        if (makeSmall === null) return
        await place.remove()
        place = await makeSmall()
        program = await place.program()
        store = storeIn(program, 'team/notes')
        await store.open(noLoss)
        const kept: string[] = []
        let error: unknown
        for (let i = 0; i < 100 && error === undefined; i++) {
          await store.append([bytes(i), large(i)]).then(
            () => kept.push(words(bytes(i)), words(large(i))),
            (failure: unknown) => {
              error = failure
            },
          )
        }
        expect(error).toMatchObject({ name: 'StoreError', code: 'full' })
        expect(kept.length).toBeGreaterThan(0)
        await place.makeRoom()
        expect(await reopened()).toEqual(kept)
        await store.append([bytes(3)])
        expect(await reopened()).toEqual([...kept, '3'])
      },
    )

    if (sharing === 'both write') {
      it('takes the writes of two programs, and each replaces only what it knows', async () => {
        await store.open(noLoss)
        await store.append([bytes(1)])
        const other = storeIn(await place.program(), 'team/notes')
        expect((await other.open(noLoss)).updates).toEqual([bytes(1)])
        await Promise.all([store.append([bytes(2)]), other.append([bytes(3)])])
        await store.replace(bytes(1, 2))
        await other.append([bytes(4)])
        expect((await reopened()).sort()).toEqual(['1 2', '3', '4'])
        // It doesn't know of 1, 2.
        await other.replace(bytes(1, 3, 4))
        expect((await reopened()).sort()).toEqual(['1 2', '1 3 4'])
        await store.replace(bytes(1, 2, 3, 4))
        expect(await reopened()).toEqual(['1 2 3 4'])
        await other.close()
      })
    } else {
      it('lets a second program in when the first has left, or was killed', async () => {
        await store.open(noLoss)
        await store.append([bytes(1)])
        const next = await place.program()
        const other = storeIn(next, 'team/notes')
        await expect(other.open(noLoss)).rejects.toMatchObject({ code: 'locked' })
        await expect(other.open(noLoss)).rejects.toMatchObject({ code: 'locked' })
        await store.append([bytes(2)])
        await program.kill()
        expect((await other.open(noLoss)).updates).toEqual([bytes(1), bytes(2)])
        await other.close()
        program = await place.program()
        store = storeIn(program, 'team/notes')
        expect(await read()).toEqual(['1', '2'])
      })
    }
  })
}
