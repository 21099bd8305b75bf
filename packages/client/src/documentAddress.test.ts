import { BadDocumentIdError } from '@weft/protocol'
import { describe, expect, it } from 'vitest'
import { documentAddress } from './documentAddress.ts'

describe('documentAddress', () => {
  it.each([
    ['ws://127.0.0.1:9091/team/notes', 'ws://127.0.0.1:9091', 'team/notes'],
    ['wss://example.org/a', 'wss://example.org', 'a'],
    ['http://localhost:9091/a', 'ws://localhost:9091', 'a'],
    ['HTTPS://Example.org:443/a', 'wss://example.org', 'a'],
    ['ws://[::1]:9091/a', 'ws://[::1]:9091', 'a'],
  ])('reads %s', (url, serverUrl, documentId) => {
    expect(documentAddress(url)).toMatchObject({ serverUrl, documentId, path: documentId, params: {} })
  })

  it.each(['a b', 'a%20b'])('encodes /%s once', name => {
    expect(documentAddress(`ws://h/${name}`)).toMatchObject({ documentId: 'a b', path: 'a%20b' })
  })

  it('reads a URL object like its text', () => {
    expect(documentAddress(new URL('ws://h/caf\u00e9'))).toEqual(documentAddress('ws://h/caf\u00e9'))
    expect(documentAddress('ws://h/caf\u00e9').path).toBe('caf%C3%A9')
  })

  it.each([
    ['wss://example.org/weft', 'wss://example.org/weft'],
    ['https://example.org/weft//?x=1', 'wss://example.org/weft'],
    ['ws://127.0.0.1:9091', 'ws://127.0.0.1:9091'],
    ['ws://127.0.0.1:9091/', 'ws://127.0.0.1:9091'],
  ])('takes %s for the server where the name stands apart', (url, serverUrl) => {
    expect(documentAddress(url, 'team/a b%')).toMatchObject({
      documentId: 'team/a b%',
      serverUrl,
      path: 'team/a%20b%25',
    })
    expect(() => documentAddress(url, '../b')).toThrow(BadDocumentIdError)
  })

  it('keeps the query', () => {
    expect(documentAddress('ws://h/a?part=comments').params).toEqual({ part: 'comments' })
  })

  it.each(['notes', 'ftp://h/a', 'ws://h', 'ws:///a', 'ws://user:secret@h/a', 'ws://h/C#', 'ws://h:99999/a', 7])(
    'does not take %s for an address',
    url => {
      expect(() => documentAddress(url as string)).toThrow(TypeError)
    },
  )

  it.each(['', '../b', 'a/../b', 'a//b', 'a\\b', '100%', 'a/%2e%2e/b'])(
    'does not open another document where the name /%s is none',
    path => {
      expect(() => documentAddress(`ws://h/${path}`)).toThrow(BadDocumentIdError)
    },
  )
})
