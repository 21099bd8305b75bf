import type { Editor } from '@tiptap/core'
import type { IconName } from '../ui/Icon.tsx'
import { imageField } from './fields.ts'

/** A kind of block that the slash menu offers. */
export interface BlockKind {
  name: string
  /** What to type for the same, if there is something. */
  shortcut: string
  icon: IconName
  /** Other words that people look for. */
  words: string
  run(editor: Editor): void
}

export const blocks: readonly BlockKind[] = [
  {
    name: 'Text',
    shortcut: '',
    icon: 'type',
    words: 'paragraph plain body',
    run: editor => editor.chain().focus().clearNodes().run(),
  },
  ...([1, 2, 3] as const).map(level => ({
    name: `Heading ${level}`,
    shortcut: '#'.repeat(level),
    icon: `heading-${level}` as const,
    words: `title section h${level}`,
    run: (editor: Editor) => editor.chain().focus().setHeading({ level }).run(),
  })),
  {
    name: 'Bulleted list',
    shortcut: '-',
    icon: 'list',
    words: 'bullets unordered ul points',
    run: editor => editor.chain().focus().toggleBulletList().run(),
  },
  {
    name: 'Numbered list',
    shortcut: '1.',
    icon: 'list-ordered',
    words: 'ordered ol numbers',
    run: editor => editor.chain().focus().toggleOrderedList().run(),
  },
  {
    name: 'Task list',
    shortcut: '[ ]',
    icon: 'list-todo',
    words: 'todo to-do checkbox check',
    run: editor => editor.chain().focus().toggleTaskList().run(),
  },
  {
    name: 'Quote',
    shortcut: '>',
    icon: 'text-quote',
    words: 'blockquote citation',
    run: editor => editor.chain().focus().toggleBlockquote().run(),
  },
  {
    name: 'Code block',
    shortcut: '```',
    icon: 'square-code',
    words: 'pre program source',
    run: editor => editor.chain().focus().toggleCodeBlock().run(),
  },
  {
    name: 'Table',
    shortcut: '',
    icon: 'table',
    words: 'grid rows columns cells',
    run: editor => editor.chain().focus().insertTable({ rows: 3, cols: 3, withHeaderRow: true }).run(),
  },
  {
    name: 'Image',
    shortcut: '',
    icon: 'image',
    words: 'picture photo upload file url',
    run: () => {
      imageField.value = true
    },
  },
  {
    name: 'Divider',
    shortcut: '---',
    icon: 'minus',
    words: 'rule line separator hr',
    run: editor => editor.chain().focus().setHorizontalRule().run(),
  },
]

/** The kinds of block that `query` can mean: what begins with it first, then what has a word that does. */
export function matchingBlocks(query: string): BlockKind[] {
  const wanted = query.trim().toLowerCase()
  if (wanted === '') return [...blocks]
  const rank = ({ name, words }: BlockKind): number => {
    const lower = name.toLowerCase()
    if (lower.startsWith(wanted) || lower.replaceAll(' ', '').startsWith(wanted)) return 0
    if (`${lower} ${words}`.split(' ').some(word => word.startsWith(wanted))) return 1
    return 2
  }
  return blocks
    .map(block => ({ block, rank: rank(block) }))
    .filter(({ rank }) => rank < 2)
    .sort((a, b) => a.rank - b.rank)
    .map(({ block }) => block)
}
