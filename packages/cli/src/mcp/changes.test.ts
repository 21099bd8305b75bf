import { FRAGMENT_NAME, fromJSON, fromMarkdown, readNode, replaceDocument, toMarkdown } from '@weft/schema'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { insertBelow, replaceAll, replaceSection, replaceText, rewritten } from './changes.ts'
import type { DocumentNode } from './sections.ts'
import { ToolError } from './ToolError.ts'

const said = (node: DocumentNode) => toMarkdown(node)

/** A table that Markdown has no form for: a cell over two columns. */
const wideTable = fromJSON({
  type: 'doc',
  content: [
    {
      type: 'table',
      content: [
        {
          type: 'tableRow',
          content: [{ type: 'tableCell', attrs: { colspan: 2 }, content: [{ type: 'paragraph' }] }],
        },
        {
          type: 'tableRow',
          content: ['a', 'b'].map(text => ({
            type: 'tableCell',
            content: [{ type: 'paragraph', content: [{ type: 'text', text }] }],
          })),
        },
      ],
    },
    { type: 'paragraph', content: [{ type: 'text', text: 'Below.' }] },
    { type: 'paragraph' },
  ],
})

describe('a rewritten document', () => {
  it('keeps blocks that Markdown can’t say where they are not changed, and empty ones at the end', () => {
    const changed = rewritten(wideTable, said(wideTable).replace('Below.', '# New\n\nBelow, changed.'))
    expect(changed.child(0)).toBe(wideTable.child(0))
    expect(changed.children.map(({ type }) => type.name)).toEqual(['table', 'heading', 'paragraph', 'paragraph'])
    expect(rewritten(wideTable, said(wideTable)).eq(wideTable)).toBe(true)
  })

  it('is what the Markdown says, from nothing and to nothing', () => {
    const empty = readNode(new Y.Doc().getXmlFragment(FRAGMENT_NAME))
    expect(said(rewritten(empty, '# A\n\nb'))).toBe('# A\n\nb\n')
    expect(said(rewritten(fromMarkdown('# A'), ''))).toBe('')
  })
})

describe('a change', () => {
  const node = fromMarkdown('# A\n\na\n\n## B\n\nb\n\n# C\n\nc\n')

  it('of a section goes up to the next heading of its level, and may repeat the heading', () => {
    expect(said(replaceSection('A', undefined, 'x')(node))).toBe('# A\n\nx\n\n# C\n\nc\n')
    expect(said(replaceSection('## B', undefined, '## B\n\nx')(node))).toBe('# A\n\na\n\n## B\n\nx\n\n# C\n\nc\n')
    expect(said(replaceSection('C', undefined, '')(node))).toBe('# A\n\na\n\n## B\n\nb\n\n# C\n')
    expect(() => replaceSection('# B', undefined, 'x')(node)).toThrow(ToolError)
  })

  it('below a heading stands before what its section holds', () => {
    expect(said(insertBelow('B', undefined, '- x')(node))).toBe('# A\n\na\n\n## B\n\n- x\n\nb\n\n# C\n\nc\n')
  })

  it('of text keeps to what was asked, whatever signs are in it', () => {
    let count = 0
    const told = (found: number) => {
      count = found
    }
    const change = replaceText({ old: '\n\n', new: '\n\n$1\n\n', all: true }, told)
    expect([said(change(fromMarkdown('a\n\nb\n\nc'))), count]).toEqual(['a\n\n$1\n\nb\n\n$1\n\nc\n', 2])
    const link = replaceText({ old: '](http://a.example)', new: '](http://b.example)', all: false }, told)
    expect(said(link(fromMarkdown('[x](http://a.example)')))).toBe('[x](http://b.example)\n')
  })

  it('of the whole leaves in a shared document what is equal', () => {
    const ydoc = new Y.Doc()
    const fragment = ydoc.getXmlFragment(FRAGMENT_NAME)
    replaceDocument(fragment, wideTable)
    const table = fragment.get(0)
    replaceDocument(fragment, replaceAll(said(wideTable).replace('Below', 'Under'))(readNode(fragment)))
    expect(fragment.get(0)).toBe(table)
    expect(readNode(fragment).child(0).eq(wideTable.child(0))).toBe(true)
    expect(readNode(fragment).child(1).textContent).toBe('Under.')
  })
})
