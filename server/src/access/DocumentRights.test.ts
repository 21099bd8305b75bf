import type { DocumentId } from '@weft/protocol'
import { describe, expect, it } from 'vitest'
import { BadTokenError } from './BadTokenError.ts'
import { DocumentRights } from './DocumentRights.ts'

const roleIn = (claim: unknown, name: string) => new DocumentRights(claim).roleIn(name as DocumentId)

describe('the claim docs', () => {
  it('gives a role in the documents that it names, and none in others', () => {
    const claim = [{ document: 'team/notes', role: 'editor' }]
    expect(roleIn(claim, 'team/notes')).toBe('editor')
    for (const name of ['team', 'team/notes/a', 'team/note', 'Team/notes', 'notes'])
      expect(roleIn(claim, name)).toBeNull()
  })

  it('gives a role in all that is below a prefix, which is of whole segments', () => {
    const claim = [{ prefix: 'team/a/', role: 'viewer' }]
    expect(roleIn(claim, 'team/a/b')).toBe('viewer')
    expect(roleIn(claim, 'team/a/b/c')).toBe('viewer')
    for (const name of ['team/a', 'team/ab', 'team/ab/c', 'team', 'x/team/a/b']) expect(roleIn(claim, name)).toBeNull()
  })

  it('gives a role in every document where the prefix is empty', () => {
    expect(roleIn([{ prefix: '', role: 'owner' }], 'a')).toBe('owner')
    expect(roleIn([{ prefix: '', role: 'owner' }], 'a/b/c')).toBe('owner')
  })

  it('gives the least of its roles everywhere, and none where some documents have none', () => {
    const everywhere = (...claim: object[]) => new DocumentRights(claim).roleEverywhere
    const owner = { prefix: '', role: 'owner' }
    expect(everywhere(owner)).toBe('owner')
    expect(everywhere(owner, { document: 'a', role: 'owner' })).toBe('owner')
    expect(everywhere({ prefix: 'a/', role: 'owner' }, owner, { document: 'a/b', role: 'viewer' })).toBe('viewer')
    expect(everywhere(owner, { prefix: 'a/', role: 'editor' })).toBe('editor')
    expect(everywhere({ prefix: 'a/', role: 'owner' }, { document: 'a', role: 'owner' })).toBeNull()
    expect(everywhere()).toBeNull()
  })

  it('gives the least of its roles below a prefix: of what is around it, and of what is in it', () => {
    const rights = new DocumentRights([
      { prefix: '', role: 'viewer' },
      { prefix: 'a/', role: 'owner' },
      { document: 'a/b/c', role: 'editor' },
      { document: 'z', role: 'owner' },
    ])
    expect(['', 'x/', 'a/', 'a/b/', 'a/x/'].map(prefix => rights.roleWithin(prefix))).toEqual([
      'viewer',
      'viewer',
      'editor',
      'editor',
      'owner',
    ])
    expect(new DocumentRights([{ document: 'a/b', role: 'owner' }]).roleWithin('a/')).toBe(null)
  })

  it('has one entry that counts, the most specific one, whatever their order and whatever it gives', () => {
    const entries = [
      { prefix: '', role: 'viewer' },
      { prefix: 'a/', role: 'owner' },
      { prefix: 'a/b/', role: 'commenter' },
      { document: 'a/b/c', role: 'editor' },
    ]
    for (const claim of [entries, entries.toReversed()]) {
      expect(['x', 'a', 'a/x', 'a/b', 'a/b/x', 'a/b/x/y', 'a/b/c'].map(name => roleIn(claim, name))).toEqual([
        'viewer',
        'viewer',
        'owner',
        'owner',
        'commenter',
        'commenter',
        'editor',
      ])
    }
  })

  it('takes names as people write them', () => {
    const claim = [
      { document: 'Grüße 日本語 👩‍👩‍👧', role: 'editor' },
      { prefix: '日本/', role: 'viewer' },
    ]
    expect(roleIn(claim, 'Grüße 日本語 👩‍👩‍👧')).toBe('editor')
    expect(roleIn(claim, '日本/語')).toBe('viewer')
    expect(roleIn(claim, '__proto__')).toBeNull()
  })

  it('names what it covers: nothing within another, in the order of names', () => {
    const scopes = (claim: unknown) => new DocumentRights(claim).scopes
    const role = 'viewer'
    const entries = [
      { prefix: 'b/', role },
      { document: 'b/inside', role },
      { prefix: 'b/deeper/', role },
      { document: 'b', role },
      // In UTF-16 the second would come first.
      { document: '\uffee', role },
      { document: '🌊', role },
      { document: 'b!', role },
    ]
    const names = ['b', 'b!', { prefix: 'b/' }, '\uffee', '🌊']
    expect(scopes(entries)).toEqual(names.map(name => (typeof name === 'string' ? { document: name } : name)))
    expect(scopes([...entries, { prefix: '', role }])).toEqual([{ prefix: '' }])
    expect([scopes([]), scopes(undefined)]).toEqual([[], []])
  })

  it('gives nothing where it is missing or empty', () => {
    expect(roleIn(undefined, 'a')).toBeNull()
    expect(roleIn([], 'a')).toBeNull()
  })

  it('may say create, and what a later version may know', () => {
    expect(roleIn([{ document: 'a', role: 'editor', create: true, until: 7 }], 'a')).toBe('editor')
  })

  it.each([
    ['no list', { document: 'a', role: 'editor' }, 'docs is no list'],
    ['null', null, 'docs is no list'],
    ['an entry that is no object', ['a'], 'docs[0] is no object'],
    ['an entry without a role', [{ document: 'a' }], 'docs[0].role is none of viewer, commenter, editor, owner'],
    ['an unknown role', [{ document: 'a', role: 'admin' }], 'docs[0].role is none of viewer, commenter, editor, owner'],
    [
      'a role of every object',
      [{ document: 'a', role: 'constructor' }],
      'docs[0].role is none of viewer, commenter, editor, owner',
    ],
    ['neither document nor prefix', [{ role: 'editor' }], 'docs[0] needs either document or prefix'],
    ['both', [{ document: 'a', prefix: 'a/', role: 'editor' }], 'docs[0] needs either document or prefix'],
    ['a document that is no text', [{ document: 7, role: 'editor' }], 'docs[0].document is no string'],
    [
      'a document that can’t be',
      [{ document: 'a//b', role: 'editor' }],
      'docs[0].document: the document name has an empty segment (a slash too many)',
    ],
    [
      'a name that is not NFC',
      [{ document: 'u\u0308', role: 'editor' }],
      'docs[0].document: the document name is not in normal form NFC',
    ],
    [
      'a prefix that ends within a segment',
      [{ prefix: 'team', role: 'editor' }],
      'docs[0].prefix does not end with a slash',
    ],
    [
      'a prefix that begins with a slash',
      [{ prefix: '/team/', role: 'editor' }],
      'docs[0].prefix: the document name has an empty segment (a slash too many)',
    ],
    ['a prefix that is no text', [{ prefix: null, role: 'editor' }], 'docs[0].prefix does not end with a slash'],
    ['create that is no boolean', [{ document: 'a', role: 'editor', create: 'yes' }], 'docs[0].create is no boolean'],
    [
      'a document named twice',
      [
        { document: 'a', role: 'editor' },
        { document: 'a', role: 'viewer' },
      ],
      'docs[1] names what an entry before it names',
    ],
    [
      'a prefix named twice',
      [
        { prefix: '', role: 'editor' },
        { prefix: '', role: 'editor' },
      ],
      'docs[1] names what an entry before it names',
    ],
  ])('is refused with %s', (_what, claim, message) => {
    expect(() => new DocumentRights(claim)).toThrow(new BadTokenError(message))
  })
})
