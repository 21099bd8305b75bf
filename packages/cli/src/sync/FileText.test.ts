import { describe, expect, it } from 'vitest'
import { BadFileError, decodeFile, encodeFile, isCut, MAX_FILE_BYTES } from './FileText.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

describe('decodeFile and encodeFile', () => {
  it.each(['', 'a', 'a\n', 'a\n\nb', '\n', 'a\r\nb\r\n', 'a\r\nb', '\ufeffa\r\n', '\ufeff', 'a\rb\n', 'é👍\n'])(
    'keep the line ends, the byte order mark and the missing last line end of %j',
    text => {
      expect(encodeFile(decodeFile(bytes(text)))).toEqual(bytes(text))
    },
  )

  it('give lines that end with \\n', () => {
    expect(decodeFile(bytes('\ufeffa\r\nb')).text).toBe('a\nb\n')
    expect(encodeFile({ ...decodeFile(bytes('\ufeffa\r\nb')), text: 'a\nc\nb\n' })).toEqual(bytes('\ufeffa\r\nc\r\nb'))
  })

  it('refuse what is no text', () => {
    for (const wrong of [Uint8Array.of(0x61, 0xff), bytes('a\0b'), new Uint8Array(MAX_FILE_BYTES + 1)]) {
      expect(() => decodeFile(wrong)).toThrow(BadFileError)
    }
  })
})

it('isCut knows what may be the beginning of a file that is being written', () => {
  expect(isCut('a\nb\n', '')).toBe(true)
  expect(isCut('a\nbc\n', 'a\nb\n')).toBe(true)
  expect(isCut('a\nb\n', 'b\n')).toBe(false)
  expect(isCut('a\nb\n', 'a\nb\nc\n')).toBe(false)
  expect(isCut('', '')).toBe(false)
})
