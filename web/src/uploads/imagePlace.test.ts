import { EditorState } from '@tiptap/pm/state'
import { fromMarkdown, toMarkdown } from '@weft/schema'
import { expect, it } from 'vitest'
import { putImage } from './imagePlace.ts'

/** The Markdown of a text in which an image was put at the `|`. */
function put(markdown: string, count = 1): string {
  const doc = fromMarkdown(markdown)
  let at = 0
  doc.descendants((node, position) => {
    const index = node.text?.indexOf('|') ?? -1
    if (index >= 0) at = position + index
  })
  const { tr } = EditorState.create({ doc })
  tr.delete(at, at + 1)
  for (let i = 1; i <= count; i++) at = putImage(tr, at, { src: `https://a.b/${i}`, alt: null })
  tr.doc.check()
  return toMarkdown(tr.doc)
}

it.each([
  ['on an empty line', 'a\n\n|', 'a\n\n![](https://a.b/1)\n'],
  ['after a line', 'a|\n\nb', 'a\n\n![](https://a.b/1)\n\nb\n'],
  ['before a line', '|a', '![](https://a.b/1)\n\na\n'],
  ['in a line, which is split', 'a|b', 'a\n\n![](https://a.b/1)\n\nb\n'],
  ['in an empty item of a list', '- |', '- ![](https://a.b/1)\n'],
  ['after an item’s text', '- a|\n- b', '- a\n\n  ![](https://a.b/1)\n\n- b\n'],
  ['after code', '```\na|\n```', '```\na\n```\n\n![](https://a.b/1)\n'],
  ['after a heading', '# a|', '# a\n\n![](https://a.b/1)\n'],
])('puts an image %s', (_where, before, after) => {
  expect(put(before).trimEnd()).toBe(after.trimEnd())
})

it('puts images after each other', () => {
  expect(put('a|', 3)).toBe('a\n\n![](https://a.b/1)\n\n![](https://a.b/2)\n\n![](https://a.b/3)\n')
  expect(put('|', 2).trimEnd()).toBe('![](https://a.b/1)\n\n![](https://a.b/2)')
})

it('puts an image into a cell of a table', () => {
  expect(put('| a |\n| --- |\n| b\\| |')).toContain('![](https://a.b/1)')
})
