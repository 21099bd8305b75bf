import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { BadNameError, documentOf, fileOf, foldName, listFolder } from './FolderNames.ts'

it('files and documents have one name', () => {
  for (const path of ['notes.md', 'a/b c.md', 'ü/日本語.md', 'x.md.md']) {
    expect(fileOf(documentOf(path, 'wiki/'), 'wiki/')).toBe(path)
  }
  expect(documentOf('u\u0308.md', '')).toBe('\u00fc')
  expect(foldName('Notes.md')).toBe(foldName('notes.MD'))
})

it.each(['CON', 'a/aux', '.hidden', 'a/.b', 'a:b', 'what?', 'a /b', 'end.', 'ä'.repeat(127)])(
  '%j is no file everywhere',
  name => {
    expect(() => fileOf(name.endsWith('.') ? `${name}/b` : name, '')).toThrow(BadNameError)
  },
)

it.each(['a\u0001b.md', 'a\\b.md', 'a\u202eb.md'])('%j is no document', path => {
  expect(() => documentOf(path, '')).toThrow(BadNameError)
})

it('lists Markdown files below a folder, and follows no link', () => {
  const root = mkdtempSync(join(tmpdir(), 'weft-test-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  mkdirSync(join(root, 'a', 'b'), { recursive: true })
  mkdirSync(join(root, '.git'))
  for (const path of ['x.md', 'a/y.md', 'a/b/z.md', 'a/other.txt', '.git/q.md', '.weft-sync-1'])
    writeFileSync(join(root, path), '')
  symlinkSync('/etc', join(root, 'outside'))
  symlinkSync('x.md', join(root, 'link.md'))
  const { files, links, folders } = listFolder(root)
  expect(files).toEqual(['a/b/z.md', 'a/y.md', 'x.md'])
  expect([...links].sort()).toEqual(['link.md', 'outside'])
  expect([...folders].sort()).toEqual([root, join(root, 'a'), join(root, 'a/b')])
})
