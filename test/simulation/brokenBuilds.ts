import type { Replacement } from './buildSimulation.ts'

/** A server that is broken on purpose, in one way that must be noticed. */
export interface BrokenBuild {
  readonly name: string
  readonly replacements: readonly Replacement[]
  /** A seed that catches it, found by the search of the long run. */
  readonly seed: number
  /** What it is caught by. */
  readonly caughtBy: RegExp
}

export const brokenBuilds: readonly BrokenBuild[] = [
  {
    name: 'acknowledges before fsync',
    replacements: [
      {
        file: 'log/LevelStore.ts',
        from: 'batch.write({ sync: true }, done)',
        to: 'batch.write({ sync: false }, done)',
      },
    ],
    seed: 1,
    caughtBy: /is not on disk/,
  },
  {
    name: 'checks no update',
    replacements: [
      {
        file: 'room/EditIntake.ts',
        from: 'return this.#admit(update, readUpdate(update, this.#room.updateLimits), isStep2)',
        to: `let contents
      try {
        contents = readUpdate(update, this.#room.updateLimits)
      } catch {
        this.#payments.acks.covered(this.#room.admit(this.#author, update, null as never))
        return
      }
      return this.#admit(update, contents, isStep2)`,
      },
      {
        file: 'crdt/admitUpdate.ts',
        from: 'if (!knowledge.brings(contents)) return null',
        to: 'if (contents === null) return update\n  if (!knowledge.brings(contents)) return null',
      },
    ],
    seed: 2,
    caughtBy: /can't be applied|can't decode|not causally closed|logged an error/,
  },
  {
    name: 'answers before load',
    replacements: [
      {
        file: 'room/Rooms.ts',
        from: 'const { stored, damage } = await bytesCache.load(() => readForRoom(log, documentId))',
        to: `void [bytesCache, log, readForRoom]
    const damage = null
    const stored = {
      head: 0, snapshotSeq: 0, snapshotBytes: 0, knowledge: null, keptAfter: 0, keptStateVector: null, entries: [],
      deletedAt: null, snapshot: null,
    } as never`,
      },
    ],
    seed: 1,
    caughtBy: /lacks what was on disk before|the head of a document moved/,
  },
  {
    name: 'unloads without drain',
    replacements: [
      {
        file: 'room/Room.ts',
        from: 'return isEmpty && !this.hasPending && !isBusy',
        to: 'return isEmpty',
      },
    ],
    seed: 33,
    caughtBy: /the head of a document moved|not on disk|is gone|logged an error/,
  },
  {
    name: 'has no back pressure',
    replacements: [
      {
        file: 'room/Room.ts',
        from: 'if (session.outlet.unsentBytes > settings.maxUnsentBytes) {',
        to: 'if (session.outlet.unsentBytes > 2 ** 40) {',
      },
    ],
    seed: 32,
    caughtBy: /bytes wait for one client/,
  },
  {
    name: 'checks a role only at join',
    replacements: [
      {
        file: 'room/Session.ts',
        from: `this.#grant = grant
    this.#mayWrite = this.#isWriter(grant)`,
        to: 'this.#grant = grant',
      },
    ],
    seed: 52,
    caughtBy: /who may only read, was stored|who may write was refused/,
  },
  {
    name: 'has no CRC',
    replacements: [
      {
        file: 'log/levelRecord.ts',
        from: "if (!isSoundRecord(value)) return 'a record with a wrong checksum'",
        to: '',
      },
    ],
    seed: 8,
    caughtBy:
      /not causally closed|have different|can't be applied|can't decode|builds on what|head of a document moved/,
  },
  {
    name: 'stores what is not causally closed',
    replacements: [
      {
        file: 'room/Room.ts',
        from: 'return this.#knowledge.missing(contents) !== null\n  }\n\n  /**\n   * Checks an update that is too large',
        to: 'return false\n  }\n\n  /**\n   * Checks an update that is too large',
      },
    ],
    seed: 1,
    caughtBy: /not causally closed|lacks operations/,
  },
]
