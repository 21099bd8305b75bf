import type { Editor } from '@tiptap/core'
import { useEffect, useRef } from 'preact/hooks'
import { outlineOf } from '../editor/outline.ts'
import { IconButton } from '../ui/IconButton.tsx'

/** The document's headings, over the right margin. */
export function OutlinePanel({ editor, onClose }: { editor: Editor; onClose(): void }) {
  const panel = useRef<HTMLElement>(null)
  useEffect(() => {
    const before = document.activeElement
    const first = panel.current?.querySelector<HTMLElement>('ol button') ?? panel.current?.querySelector('button')
    first?.focus()
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true })
    }
  }, [])
  const entries = outlineOf(editor.state.doc)
  const top = Math.min(...entries.map(entry => entry.level))
  return (
    <nav
      ref={panel}
      class="panel"
      aria-label="Outline"
      onKeyDown={event => {
        if (event.key === 'Escape') onClose()
      }}
    >
      <header>
        <h2>Outline</h2>
        <IconButton icon="x" label="Close" tipAlign="end" onClick={onClose} />
      </header>
      {entries.length === 0 ? (
        <p class="note">Headings appear here. Begin a line with # and a space to write one.</p>
      ) : (
        <ol>
          {entries.map(({ level, text, position }) => (
            <li key={position} data-depth={Math.min(level - top, 3)}>
              <button type="button" dir="auto" onClick={() => goTo(editor, position)}>
                {text}
              </button>
            </li>
          ))}
        </ol>
      )}
    </nav>
  )
}

function goTo(editor: Editor, position: number): void {
  const element = editor.view.nodeDOM(position)
  if (!(element instanceof Element)) return
  const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches
  element.scrollIntoView({ block: 'start', behavior: isCalm ? 'auto' : 'smooth' })
  if (editor.isEditable) editor.commands.setTextSelection(position + 1)
}
