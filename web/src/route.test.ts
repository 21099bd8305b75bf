import { describe, expect, it } from 'vitest'
import { documentIdFrom, documentIdProblem, documentPath, parseRoute, serverUrl } from './route.ts'

describe.each(['/', '/weft/', '/a/d/'])('under %s', base => {
  const parse = (path: string) => parseRoute(base + path, base)

  it('finds the document that a path names', () => {
    expect(parse('')).toEqual({ page: 'home' })
    expect(parse('s')).toEqual({ page: 'link' })
    expect(parse('d/notes')).toEqual({ page: 'document', documentId: 'notes' })
    expect(parse('d/team/plan%202026')).toEqual({ page: 'document', documentId: 'team/plan 2026' })
    for (const path of ['d', 'd/', 'x', 'd/a//b', 'd/../x', 'd/%ff', 'd/a%0ab', 'd/%E2%80%AE'])
      expect(parse(path)).toEqual({ page: 'unknown' })
  })

  it('makes paths that name the same document', () => {
    for (const documentId of ['notes', 'd/x', 'team/plan 2026', 'a?b#c%d', 'über/日本', 'a+b&c'])
      expect(parseRoute(documentPath(documentId, base), base)).toEqual({ page: 'document', documentId })
  })

  it('takes a link for the name that it holds', () => {
    expect(documentIdFrom(`http://127.0.0.1:9091${base}d/team/plan%202026?x#y`, base)).toBe('team/plan 2026')
    expect(documentIdFrom(' notes ', base)).toBe('notes')
    expect(documentIdFrom('e\u0301', base)).toBe('\u00e9')
    expect(documentIdFrom('', base)).toBe('')
  })

  it('reaches the server where the page is', () => {
    expect(serverUrl({ protocol: 'https:', host: 'example.org' }, base)).toBe(`wss://example.org${base}`)
    expect(serverUrl({ protocol: 'http:', host: 'localhost:9091' }, base)).toBe(`ws://localhost:9091${base}`)
  })
})

it('knows no page beside its base', () => {
  for (const path of ['/', '/d/notes', '/weft', '/weftd/notes'])
    expect(parseRoute(path, '/weft/')).toEqual({ page: 'unknown' })
})

it('says why a name can’t be a document’s', () => {
  expect(documentIdProblem('team/notes')).toBeNull()
  for (const name of ['', 'a//b', '/a', 'a\\b', 'x'.repeat(256), '..'])
    expect(documentIdProblem(name)).toMatch(/^[A-Z].*\.$/)
})
