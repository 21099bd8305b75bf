import { expect, it } from 'vitest'
import { documentIdFrom, documentIdProblem, documentPath, documentUrl, parseRoute } from './route.ts'

it('finds the document that a path names', () => {
  expect(parseRoute('/')).toEqual({ page: 'home' })
  expect(parseRoute('/d/notes')).toEqual({ page: 'document', documentId: 'notes' })
  expect(parseRoute('/d/team/plan%202026')).toEqual({ page: 'document', documentId: 'team/plan 2026' })
  for (const path of ['/d', '/d/', '/x', '/d/a//b', '/d/../x', '/d/%ff', '/d/a%0ab', '/d/%E2%80%AE']) {
    expect(parseRoute(path)).toEqual({ page: 'unknown' })
  }
})

it('makes paths and addresses that name the same document', () => {
  for (const documentId of ['notes', 'team/plan 2026', 'a?b#c%d', 'über/日本', 'a+b&c']) {
    expect(parseRoute(documentPath(documentId))).toEqual({ page: 'document', documentId })
    const url = new URL(documentUrl(documentId, { protocol: 'http:', host: 'localhost:9091' }))
    expect(decodeURIComponent(url.pathname.slice(1))).toBe(documentId)
    expect(url.search + url.hash).toBe('')
  }
  expect(documentUrl('a/b', { protocol: 'https:', host: 'weft.example' })).toBe('wss://weft.example/a/b')
})

it('takes a link for the name that it holds', () => {
  expect(documentIdFrom(' notes ')).toBe('notes')
  expect(documentIdFrom('http://127.0.0.1:9091/d/team/plan%202026?x#y')).toBe('team/plan 2026')
  expect(documentIdFrom('e\u0301')).toBe('\u00e9')
  expect(documentIdFrom('')).toBe('')
})

it('says why a name can’t be a document’s', () => {
  expect(documentIdProblem('team/notes')).toBeNull()
  for (const name of ['', 'a//b', '/a', 'a\\b', 'x'.repeat(256), '..'])
    expect(documentIdProblem(name)).toMatch(/^[A-Z].*\.$/)
})
