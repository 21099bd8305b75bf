import { fromMarkdown } from '@weft/schema'
import { expect, it } from 'vitest'
import { countWords, outlineOf } from './outline.ts'
import { titleOf } from './title.ts'

it('is the first heading', () => {
  expect(titleOf(fromMarkdown('Some text\n\n## A *plan*\n\n# Another'))).toBe('A plan')
})

it('is the first line where there is no heading, shortened', () => {
  expect(titleOf(fromMarkdown('First line\n\nsecond'))).toBe('First line')
  expect(titleOf(fromMarkdown('- item\n- other'))).toBe('item')
  const title = titleOf(fromMarkdown('word '.repeat(50)))
  expect(title.length).toBeLessThanOrEqual(80)
  expect(title).toMatch(/…$/)
})

it('is empty where there is no text', () => {
  expect(titleOf(fromMarkdown(''))).toBe('')
  expect(titleOf(fromMarkdown('#'))).toBe('')
})

it('outlines the headings with their levels', () => {
  const outline = outlineOf(fromMarkdown('# One\n\ntext\n\n> ## Two\n\n###\n\n### Three'))
  expect(outline.map(({ level, text }) => [level, text])).toEqual([
    [1, 'One'],
    [2, 'Two'],
    [3, 'Three'],
  ])
})

it('counts words and not signs', () => {
  expect(countWords(fromMarkdown('# One two\n\nthree – **fo**ur.\n\n- five'))).toBe(5)
  expect(countWords(fromMarkdown(''))).toBe(0)
})
