import { mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { DiskFile, type FoundFile, type PlacedFile } from './DiskFile.ts'

/** What another process does as soon as a file is in its place. */
const meanwhile = vi.hoisted(() => ({ act: () => {} }))

vi.mock('./SyncState.ts', async importOriginal => ({
  ...(await importOriginal<typeof import('./SyncState.ts')>()),
  flushFolder: () => meanwhile.act(),
}))

describe('a file that is put in its place', () => {
  let folder: string
  let path: string
  let file: DiskFile

  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'weft-test-')))
    path = join(folder, 'notes.md')
    file = new DiskFile(path)
  })

  afterEach(() => {
    meanwhile.act = () => {}
    rmSync(folder, { recursive: true })
  })

  function place(text: string): { placed: PlacedFile; identity: string } {
    const found = file.look()
    if (found.state === 'other') throw new Error(found.why)
    const prepared = file.prepare(Buffer.from(text), found)
    const placed = prepared.commit()
    if (placed === null) throw new Error('it has changed')
    return { placed, identity: prepared.identity }
  }

  const now = () => file.look() as FoundFile

  it.each(['in place of another', 'where there was none'])('is found again as it was written, %s', where => {
    if (where === 'in place of another') writeFileSync(path, 'before')
    const { placed, identity } = place('one')
    expect(placed.found).toEqual(now())
    expect(placed.found.identity).toBe(identity)
    expect(readFileSync(path, 'utf8')).toBe('one')
  })

  it('is told as it was written, when somebody deletes it at that moment: that is seen at the next look', () => {
    meanwhile.act = () => rmSync(path)
    const { placed, identity } = place('one')
    expect(placed.found.identity).toBe(identity)
    expect(file.look()).toEqual({ state: 'missing', stamp: '' })
  })

  it('is told as it was written, when somebody replaces it at that moment', () => {
    meanwhile.act = () => {
      writeFileSync(join(folder, 'other'), 'one')
      renameSync(join(folder, 'other'), path)
    }
    const { placed, identity } = place('one')
    expect(placed.found.identity).toBe(identity)
    expect(now().stamp).not.toBe(placed.found.stamp)
  })

  it('has another identity, when somebody writes into it at that moment', () => {
    meanwhile.act = () => writeFileSync(path, 'another', { flag: 'r+' })
    const { placed, identity } = place('one')
    expect(placed.found.identity).not.toBe(identity)
  })
})
