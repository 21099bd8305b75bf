import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteReader } from './ByteReader.ts'
import { MalformedUpdate } from './MalformedUpdate.ts'
import { skipJson } from './skipJson.ts'

function isAccepted(text: string, maxDepth = 32): boolean {
  const bytes = new TextEncoder().encode(text)
  try {
    skipJson(new ByteReader(bytes), bytes.length, maxDepth)
    return true
  } catch (error) {
    if (error instanceof MalformedUpdate) return false
    throw error
  }
}

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Texts that are nearly JSON: made of its tokens, and of what is easily taken for one. */
const nearlyJson = fc
  .array(
    fc.constantFrom(
      ...[
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"',
        '"a"',
        '\\',
        '\\u00e9',
        '\\ud83e',
        '\\n',
        '\\x',
        'true',
        'false',
        'null',
        'NaN',
      ],
      ...[
        '0',
        '1',
        '-',
        '+',
        '.',
        'e',
        'E',
        '12',
        '-0',
        '1.5',
        '1e9',
        ' ',
        '\t',
        '\n',
        '\u00a0',
        '\u0001',
        '🦊',
        '//',
        "'",
      ],
    ),
    { maxLength: 12 },
  )
  .map(tokens => tokens.join(''))

describe('skipJson', () => {
  it('takes what JSON.parse takes', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), text => {
        expect(isAccepted(text)).toBe(true)
      }),
    )
  })

  it('refuses what JSON.parse refuses', () => {
    fc.assert(
      fc.property(nearlyJson, text => {
        expect(isAccepted(text)).toBe(parses(text))
      }),
      { numRuns: 2000 },
    )
    fc.assert(
      fc.property(
        fc.json({ maxDepth: 3 }),
        fc.nat(),
        fc.string({ maxLength: 2, unit: 'grapheme-ascii' }),
        (text, at, junk) => {
          const broken = text.slice(0, at % (text.length + 1)) + junk + text.slice((at % (text.length + 1)) + 1)
          expect(isAccepted(broken)).toBe(parses(broken))
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('ends where it is told to', () => {
    const bytes = new TextEncoder().encode('[1] 23')
    const reader = new ByteReader(bytes)
    skipJson(reader, 3, 32)
    expect(reader.position).toBe(3)
    expect(() => skipJson(new ByteReader(bytes), 2, 32)).toThrow(MalformedUpdate)
  })

  it('counts levels of objects and arrays', () => {
    expect(isAccepted('[{"a":[1]}]', 3)).toBe(true)
    expect(isAccepted('[{"a":[1]}]', 2)).toBe(false)
    expect(isAccepted('1', 0)).toBe(true)
    expect(isAccepted('[]', 0)).toBe(false)
  })
})
