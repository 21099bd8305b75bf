import { describe, expect, it } from 'vitest'
import {
  keptAfterMs,
  lateAfterMs,
  nextKeptSince,
  nextWaitingSince,
  type SaveFacts,
  saveState,
  savingAfterMs,
} from './saveState.ts'

const synced: SaveFacts = {
  status: 'synced',
  unsavedCount: 0,
  isOnlyCopy: false,
  waitingSince: null,
  isKept: true,
  isReadOnly: false,
  unkeptCount: 0,
  keptSince: 0,
  isOnlyShown: false,
  refusal: null,
  saving: 'saving',
  fullAtBytes: null,
}

describe('the state line', () => {
  it('says saved only when the connection is up to date and nothing is unsaved', () => {
    for (const status of ['opening', 'connecting', 'synced', 'offline', 'refused'] as const) {
      for (const unsavedCount of [0, 1, 7]) {
        for (const isKept of [true, false]) {
          for (const refusal of [null, 'no room']) {
            const waitingSince = unsavedCount === 0 ? null : 0
            for (const [isReadOnly, isOnlyShown] of [
              [true, false],
              [false, true],
              [false, false],
            ] as const) {
              const facts = { ...synced, status, unsavedCount, waitingSince, isKept, isReadOnly, isOnlyShown, refusal }
              const isSaved =
                status === 'synced' && unsavedCount === 0 && refusal === null && !isReadOnly && !isOnlyShown
              expect(saveState(facts, 1_000).state === 'saved').toBe(isSaved)
            }
          }
        }
      }
    }
  })

  it('says to a reader that this is one, whatever Yjs tidies, and that what was refused is not saved', () => {
    const reader = { ...synced, isReadOnly: true }
    expect(saveState(reader, 0)).toEqual({ state: 'reading', text: 'Read only', changesAt: null })
    expect(saveState({ ...reader, unsavedCount: 1, waitingSince: 0 }, 60_000).state).toBe('reading')
    expect(saveState({ ...reader, refusal: 'you may only read this document' }, 0).state).toBe('failed')
    expect(saveState({ ...reader, status: 'offline' }, 0).state).toBe('offline')
  })

  it('says why the server stores nothing: at once where it takes no edits, with its age where it tries again', () => {
    const waiting = { ...synced, unsavedCount: 2, waitingSince: 0 }
    expect(saveState({ ...waiting, saving: 'saving-failing' }, 2_000)).toMatchObject({
      state: 'late',
      text: 'Not saved for 2 s: the server can’t store edits now',
    })
    expect(saveState({ ...synced, saving: 'saving-failing' }, 2_000).state).toBe('saved')
    const full = { ...synced, isReadOnly: true, saving: 'disk-full' } as const
    expect(saveState(full, 0)).toMatchObject({
      state: 'reading',
      text: 'Read only: the server has too little space left',
    })
    expect(saveState({ ...full, unsavedCount: 1, waitingSince: 0 }, 0)).toMatchObject({
      state: 'failed',
      text: 'Can’t save: the server has too little space left',
    })
    expect(saveState({ ...full, saving: 'damaged' }, 0).text).toBe('Read only: this document is damaged on the server')
  })

  it('says of a document that is only shown that it is read, once the edits from before are saved', () => {
    const shown = { ...synced, isOnlyShown: true }
    expect(saveState(shown, 0)).toEqual({ state: 'reading', text: 'Read only', changesAt: null })
    expect(saveState({ ...shown, unsavedCount: 1, waitingSince: 0 }, 1_000).state).toBe('saving')
  })

  it('[threat E5] says what isn’t saved where the document is at its size limit, and saved where all is', () => {
    const full = { ...synced, fullAtBytes: 64 << 20 }
    expect(saveState({ ...full, unsavedCount: 1, waitingSince: 0 }, 0)).toEqual({
      state: 'failed',
      text: 'Can’t save: the document is at its size limit',
      changesAt: null,
    })
    expect(saveState(full, 0).state).toBe('saved')
  })

  it('[threat E5] turns to a dot at the first unacknowledged edit, to saving after 300 ms, and to late after 10 s', () => {
    const facts = { ...synced, unsavedCount: 1, waitingSince: 5_000 }
    expect(saveState(facts, 5_000)).toMatchObject({ state: 'pending', changesAt: 5_000 + savingAfterMs })
    expect(saveState(facts, 5_299).state).toBe('pending')
    expect(saveState(facts, 5_300)).toMatchObject({ state: 'saving', changesAt: 5_000 + lateAfterMs })
    expect(saveState(facts, 15_000)).toEqual({ state: 'late', text: 'Not saved for 10 s', changesAt: 16_000 })
    expect(saveState(facts, 15_400)).toMatchObject({ text: 'Not saved for 10 s', changesAt: 16_000 })
    expect(saveState(facts, 130_000)).toEqual({ state: 'late', text: 'Not saved for 2 min', changesAt: 185_000 })
  })

  it('is calm when offline, and says so when this device keeps nothing', () => {
    expect(saveState({ ...synced, status: 'offline', unsavedCount: 3, waitingSince: 0 }, 99_000)).toEqual({
      state: 'offline',
      text: 'Offline – kept on this device',
      changesAt: null,
    })
    expect(saveState({ ...synced, status: 'offline', isKept: false }, 99_000)).toMatchObject({
      state: 'unkept',
      text: 'Offline – not kept on this device',
    })
  })

  it('claims to keep edits on this device only when it keeps them all, and for a while', () => {
    const offline = { ...synced, status: 'offline' } as const
    expect(saveState({ ...offline, unkeptCount: 1, keptSince: null }, 99_000).text).toBe('Offline')
    expect(saveState({ ...offline, keptSince: 98_900 }, 99_000)).toEqual({
      state: 'offline',
      text: 'Offline',
      changesAt: 98_900 + keptAfterMs,
    })
    expect(saveState({ ...offline, keptSince: 98_900 }, 98_900 + keptAfterMs).text).toBe(
      'Offline – kept on this device',
    )
  })

  it('is loud when the server refuses', () => {
    const refused = { ...synced, status: 'refused' as const, unsavedCount: 1, refusal: 'the document is full' }
    expect(saveState(refused, 0)).toMatchObject({ state: 'failed', text: 'Can’t save: the document is full' })
    expect(saveState({ ...synced, refusal: 'no right' }, 0).state).toBe('failed')
  })

  it('speaks of no saving where there is nothing to save', () => {
    const refused = { ...synced, status: 'refused' as const, refusal: 'the document was deleted' }
    expect(saveState(refused, 0)).toMatchObject({
      state: 'refused',
      text: 'Not connected: the document was deleted',
    })
    expect(saveState({ ...refused, unsavedCount: 1, isOnlyCopy: true }, 0).state).toBe('refused')
    expect(saveState({ ...refused, unsavedCount: 2 }, 0).state).toBe('failed')
  })
})

describe('how long edits have been waiting', () => {
  it('begins with the first, goes on with the next, begins anew with an answer, ends with none', () => {
    expect(nextWaitingSince(0, 1, null, 100)).toBe(100)
    expect(nextWaitingSince(1, 2, 100, 150)).toBe(100)
    expect(nextWaitingSince(2, 1, 100, 180)).toBe(180)
    expect(nextWaitingSince(1, 0, 180, 200)).toBe(null)
  })
})

describe('how long everything has been kept', () => {
  it('begins when the last edit is kept, and ends with the next', () => {
    expect(nextKeptSince(0, 0, 0, 100)).toBe(0)
    expect(nextKeptSince(0, 1, 0, 100)).toBe(null)
    expect(nextKeptSince(1, 2, null, 110)).toBe(null)
    expect(nextKeptSince(2, 0, null, 120)).toBe(120)
    expect(nextKeptSince(0, 0, 120, 130)).toBe(120)
  })
})
