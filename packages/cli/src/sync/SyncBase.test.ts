import { describe, expect, it } from 'vitest'
import { keepFormatting, showsChange } from './mergeLines.ts'
import { addVersion, chooseBase } from './SyncBase.ts'
import type { SyncRecord, SyncVersion } from './SyncState.ts'

const version = (text: string, isKnown: boolean): SyncVersion => ({
  text,
  isKnown,
  state: new Uint8Array(),
  identity: text,
})
const record = (...versions: SyncVersion[]): SyncRecord => ({ versions, unsaved: null, staleText: null })

describe('chooseBase', () => {
  const older = version('a\nb\n', true)

  it('takes the newest version that somebody has read', () => {
    const newest = version('a\nb\nfrom the document\n', true)
    expect(chooseBase(record(newest, older), 'a\nb\nc\n')).toEqual({ base: newest, isStale: false })
  })

  it('takes the one before, where nobody has read the newest and nothing of it is there', () => {
    const newest = version('a\nb\nfrom the document\n', false)
    expect(chooseBase(record(newest, older), 'a\nb\nc\n')).toEqual({ base: older, isStale: true })
    expect(chooseBase(record(newest, older), 'a\nb\nc\nfrom the document\n')).toEqual({ base: newest, isStale: false })
  })

  it('goes back over several, to the one that is known', () => {
    const versions = [version('a\nb\nx\ny\n', false), version('a\nb\nx\n', false), older, version('a\n', true)]
    expect(chooseBase(record(...versions), 'a\nb\nc\n')?.base).toBe(older)
    expect(chooseBase(record(...versions), 'a\nb\nx\nc\n')?.base).toBe(versions[1])
  })

  it('believes what is saved a second time', () => {
    const newest = version('a\nb\nfrom the document\n', false)
    const twice = { ...record(newest, older), staleText: 'a\nb\n' }
    expect(chooseBase(twice, 'a\nb\n')).toEqual({ base: newest, isStale: false })
  })

  it('has none where nothing is known', () => {
    expect(chooseBase(record(), 'a')).toBe(null)
  })
})

describe('addVersion', () => {
  const texts = (versions: readonly SyncVersion[]) => versions.map(({ text }) => text)

  it('keeps what an editor may have loaded, and no more', () => {
    const before = [version('c', false), version('b', true), version('a', true)]
    expect(texts(addVersion(before, version('d', false), true))).toEqual(['d', 'b'])
    expect(texts(addVersion(before, version('d', false), false))).toEqual(['d', 'c', 'b'])
  })

  it('is bounded', () => {
    let versions: SyncVersion[] = [version('0', true)]
    for (let i = 1; i < 100; i++) versions = addVersion(versions, version(String(i), false), false)
    expect([versions.length, versions[0]?.text, versions.at(-1)?.text]).toEqual([30, '99', '0'])
  })
})

describe('showsChange', () => {
  it.each([
    ['a\n', 'a\nb\n', 'a\nc\n', false],
    ['a\n', 'a\nb\n', 'a\nb\nc\n', true],
    ['a\n', 'a b c\n', 'a b d c\n', true],
    ['a\n', 'a b\nc\n', 'a d\n', false],
    ['a\nb\n', 'a\n', 'a\nb\nc\n', false],
    ['a\nb\n', 'a\n', 'a\nc\n', true],
    ['a\nb\n', 'b\na\n', 'a\nb\n', true],
  ])('from %j to %j, seen in %j: %s', (older, newer, text, shown) => {
    expect(showsChange(older, newer, text)).toBe(shown)
  })
})

describe('keepFormatting', () => {
  it('keeps how the author wrote what did not change', () => {
    expect(keepFormatting('- a\n- b\n\nc d\n', '* a\n* b\n\nc\nd\n', '- a\n- b\n\nc d\n\nnew\n')).toBe(
      '* a\n* b\n\nc\nd\n\nnew\n',
    )
    expect(keepFormatting('# A\n\ntext\n', 'A\n=\n\ntext\n', '# A\n\ntext!\n')).toBe('A\n=\n\ntext!\n')
  })

  it('says what the document says where both can’t be had', () => {
    expect(keepFormatting('- a\n- b\n', '* a\n* b\n', '- a\n- b\n- c\n')).toBe('- a\n- b\n- c\n')
    expect(keepFormatting('a b\n', 'a\nb\n', 'a b c\n')).toBe('a b c\n')
  })
})
