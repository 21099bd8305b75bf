import type { Editor } from '@tiptap/core'
import { useEffect, useRef } from 'preact/hooks'
import { Floating } from '../ui/Floating.tsx'
import { Icon } from '../ui/Icon.tsx'
import { slashState } from './slashMenu.ts'

const menuId = 'slash-menu'

/** The blocks that can be put at the caret. The focus stays in the text; the keys are `slashMenu.ts`'s. */
export function SlashMenu({ editor }: { editor: Editor }) {
  const state = slashState.value
  const chosen = useRef<HTMLButtonElement>(null)
  const index = state?.index ?? 0
  const isOpen = state !== null

  useEffect(() => {
    if (!isOpen || editor.isDestroyed) return
    const { dom } = editor.view
    dom.setAttribute('aria-controls', menuId)
    dom.setAttribute('aria-activedescendant', `${menuId}-${index}`)
    chosen.current?.scrollIntoView({ block: 'nearest' })
    return () => {
      dom.removeAttribute('aria-controls')
      dom.removeAttribute('aria-activedescendant')
    }
  }, [editor, isOpen, index])

  if (state === null || editor.isDestroyed) return null
  return (
    <Floating
      class="menu slash-menu"
      role="listbox"
      label="Blocks"
      id={menuId}
      testId="slash-menu"
      rect={state.rect}
      context={editor.view.dom}
      placement="bottom-start"
      isList
      version={state}
    >
      {state.items.map((item, position) => (
        <button
          type="button"
          key={item.name}
          id={`${menuId}-${position}`}
          ref={position === index ? chosen : null}
          class="menu-item"
          role="option"
          tabIndex={-1}
          aria-selected={position === index}
          onMouseDown={event => event.preventDefault()}
          onMouseMove={() => {
            if (position !== index) slashState.value = { ...state, index: position }
          }}
          onClick={() => state.choose(item)}
        >
          <Icon name={item.icon} />
          <span>{item.name}</span>
          {item.shortcut !== '' && <kbd>{item.shortcut}</kbd>}
        </button>
      ))}
    </Floating>
  )
}
