import { parseDocumentId } from '@weft/protocol'
import { describe, expect, it } from 'vitest'
import { type ListedDocument, RefusedRequestError, type TaggedText } from '../ServerApi.ts'
import { DocumentSearch, finderOf } from './DocumentSearch.ts'

/** Documents in memory, as the server's API gives them. */
function documents(texts: Record<string, string | null>) {
  const asked: string[] = []
  const api = {
    async *list(prefix: string, after: string | null = null): AsyncGenerator<ListedDocument> {
      for (const name of Object.keys(texts).sort()) {
        if (name.startsWith(prefix) && (after === null || name > after))
          yield { name: parseDocumentId(name), createdAt: '' }
      }
    },
    async readMarkdown(name: string, known: TaggedText | undefined): Promise<TaggedText> {
      const text = texts[name] ?? null
      if (text === null) throw new RefusedRequestError('not-text', 'no text')
      if (known?.tag === text) return known
      asked.push(name)
      return { tag: text, text }
    },
  }
  return { api, asked, texts }
}

describe('a search', () => {
  const all = { prefix: '', limit: 10, after: null }

  it('goes on where it stopped, until nothing is left', async () => {
    const names = Array.from({ length: 23 }, (_, i) => `d${String(i).padStart(2, '0')}`)
    const { api } = documents(Object.fromEntries(names.map((name, i) => [name, i % 2 === 0 ? 'Needle.' : 'Hay.'])))
    const search = new DocumentSearch(api)
    const found: string[] = []
    let after: string | null = null
    let calls = 0
    do {
      const result = await search.find('needle', { prefix: '', limit: 5, after })
      found.push(...result.hits.map(({ documentId }) => documentId))
      after = result.next
    } while (after !== null && ++calls < 10)
    expect(found).toEqual(names.filter((_, i) => i % 2 === 0))
    expect((await search.find('needle', { ...all, limit: 12 })).next).toBeNull()
  })

  it('reads again only what has changed, and counts what it can’t read', async () => {
    const { api, asked, texts } = documents({ a: 'x', b: 'y', c: null })
    const search = new DocumentSearch(api)
    expect(await search.find('x', all)).toMatchObject({ searchedCount: 3, unreadCount: 1, next: null })
    texts.b = 'now x, too'
    expect((await search.find('X', all)).hits.map(({ documentId }) => documentId)).toEqual(['a', 'b'])
    expect(asked).toEqual(['a', 'b', 'b'])
  })

  it('shows what is around, of a long line a part', async () => {
    const { api } = documents({ a: `${'before '.repeat(100)}needle${' after'.repeat(100)}\nneedle\nneedle\nneedle` })
    const [hit] = (await new DocumentSearch(api).find('needle', all)).hits
    expect([hit?.lineCount, hit?.excerpts.map(({ line }) => line)]).toEqual([4, [1, 2, 3]])
    expect(hit?.excerpts[0]?.text).toMatch(/^….* needle .*…$/)
    expect(hit?.excerpts[0]?.text.length).toBeLessThan(165)
  })
})

describe('what is looked for', () => {
  it.each([
    ['a.b', 'axb', false],
    ['on friday', 'on **Friday**', true],
    ['friday, not', '**Friday**, not', true],
    ['**', 'a ** b', true],
    ['**', 'a * b', false],
    ['on  FRIDAY', 'on\tfriday', true],
    ['a_b', 'a\\_b', true],
    ['c++ (x)', 'C++ \\(x\\)', true],
    ['[x]{1,2}|^$', '\\[x]{1,2}|^$', true],
    ['a\\b', 'a\\\\b', true],
    ['ÄÖ-1', 'äö-1', true],
    ['/path/to', 'see /path/to', true],
    ['🌊 sea', '🌊 Sea', true],
  ])('%s in %s: %s', (query, text, isThere) => {
    expect(finderOf(query)(text) !== null).toBe(isThere)
  })
})
