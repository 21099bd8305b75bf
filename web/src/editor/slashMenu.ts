import { type Signal, signal } from '@preact/signals'
import { Extension } from '@tiptap/core'
import { PluginKey } from '@tiptap/pm/state'
import { exitSuggestion, Suggestion, type SuggestionProps } from '@tiptap/suggestion'
import { type BlockKind, matchingBlocks } from './blocks.ts'

/** The slash menu while it is open. */
export interface SlashState {
  items: readonly BlockKind[]
  /** Index of the item that Enter takes. */
  index: number
  /** Where the slash stands; `null` where it can't be told. */
  rect: () => DOMRect | null
  choose(item: BlockKind): void
}

const key = new PluginKey('slashMenu')

export const slashState = signal<SlashState | null>(null)

/** Opens a menu of blocks at a slash at the beginning of a word; the menu is drawn by `SlashMenu`. */
export const slashMenu: Extension = Extension.create({
  name: 'slashMenu',
  addProseMirrorPlugins() {
    const show = (state: Signal<SlashState | null>, props: SuggestionProps<BlockKind, BlockKind>) => {
      if (props.items.length === 0) {
        state.value = null
        return
      }
      const before = state.value
      const item = before?.items[before.index]
      const kept = item === undefined ? -1 : props.items.indexOf(item)
      state.value = {
        items: props.items,
        index: props.query === '' || kept < 0 ? 0 : kept,
        rect: () => props.clientRect?.() ?? null,
        choose: props.command,
      }
    }
    return [
      Suggestion<BlockKind, BlockKind>({
        editor: this.editor,
        pluginKey: key,
        char: '/',
        decorationClass: 'slash',
        allow: ({ state, range }) => !state.doc.resolve(range.from).parent.type.spec.code,
        items: ({ query }) => matchingBlocks(query),
        command: ({ editor, range, props }) => {
          editor.chain().focus().deleteRange(range).run()
          props.run(editor)
        },
        render: () => ({
          onStart: props => show(slashState, props),
          onUpdate: props => show(slashState, props),
          onExit: () => {
            slashState.value = null
          },
          onKeyDown: ({ event, view }) => {
            const state = slashState.value
            if (state === null || event.isComposing) return false
            const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
            if (step !== 0) {
              const { length } = state.items
              slashState.value = { ...state, index: (state.index + step + length) % length }
              return true
            }
            if (event.key === 'Enter' || event.key === 'Tab') {
              const item = state.items[state.index]
              if (item === undefined) return false
              state.choose(item)
              return true
            }
            if (event.key === 'Escape') {
              exitSuggestion(view, key)
              return true
            }
            return false
          },
        }),
      }),
    ]
  },
})
