import { expect, it } from 'vitest'
import { blocks, matchingBlocks } from './blocks.ts'
import { typedAddress } from './fields.ts'

const names = (query: string) => matchingBlocks(query).map(({ name }) => name)

it('offers every block for a bare slash', () => {
  expect(matchingBlocks('')).toEqual(blocks)
})

it('finds blocks by name and by other words, names first', () => {
  expect(names('head')).toEqual(['Heading 1', 'Heading 2', 'Heading 3'])
  expect(names('h2')).toEqual(['Heading 2'])
  expect(names('heading2')).toEqual(['Heading 2'])
  expect(names('todo')).toEqual(['Task list'])
  expect(names('ta')[0]).toBe('Task list')
  expect(names('LIST')).toEqual(['Bulleted list', 'Numbered list', 'Task list'])
  expect(names('xyz')).toEqual([])
})

it('completes an address as a person means it', () => {
  expect(typedAddress(' example.org/x ')).toBe('https://example.org/x')
  expect(typedAddress('http://example.org')).toBe('http://example.org')
  expect(typedAddress('ann@example.org')).toBe('mailto:ann@example.org')
  expect(typedAddress('/d/notes')).toBe('/d/notes')
  expect(typedAddress('#part')).toBe('#part')
  expect(typedAddress('javascript:alert(1)')).toBe('javascript:alert(1)')
  expect(typedAddress('')).toBe('')
})
