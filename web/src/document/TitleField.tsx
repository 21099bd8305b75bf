import type { Editor } from '@tiptap/core'
import { useRef, useState } from 'preact/hooks'
import { setTitle } from '../editor/title.ts'

interface Props {
  /** Empty: it has none yet, and is called by its name. */
  title: string
  documentId: string
  /** `null` where the document can't be edited. */
  editor: Editor | null
}

/** The document's title in the top line; changing it changes the document's first heading. */
export function TitleField({ title, documentId, editor }: Props) {
  const input = useRef<HTMLInputElement>(null)
  const [draft, setDraft] = useState<string | null>(null)
  const isReadOnly = editor === null || !editor.isEditable
  const isAbandoned = useRef(false)
  return (
    <input
      ref={input}
      class="title-field"
      type="text"
      dir="auto"
      aria-label="Title of the document"
      data-testid="title"
      placeholder={documentId}
      readOnly={isReadOnly}
      maxLength={300}
      value={draft ?? title}
      onFocus={event => {
        if (isReadOnly) return
        isAbandoned.current = false
        setDraft(title)
        event.currentTarget.select()
      }}
      onInput={event => setDraft(event.currentTarget.value)}
      onBlur={() => {
        if (draft !== null && !isAbandoned.current && editor !== null && !editor.isDestroyed && draft !== title)
          setTitle(editor, draft)
        setDraft(null)
      }}
      onKeyDown={event => {
        if (event.isComposing) return
        if (event.key === 'Escape') isAbandoned.current = true
        if (event.key !== 'Enter' && event.key !== 'Escape') return
        event.preventDefault()
        event.currentTarget.blur()
        editor?.commands.focus(undefined, { scrollIntoView: false })
      }}
    />
  )
}
