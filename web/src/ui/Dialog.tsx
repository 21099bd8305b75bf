import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { IconButton } from './IconButton.tsx'

interface Props {
  title: string
  children: ComponentChildren
  onClose(): void
}

/** The platform's modal dialog: Escape closes it, and the focus goes back to where it was. */
export function Dialog({ title, children, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    dialog.current?.showModal()
    // Not to its first button, which is the one that closes it.
    dialog.current?.focus()
  }, [])
  return (
    <dialog
      ref={dialog}
      class="dialog"
      tabIndex={-1}
      aria-label={title}
      onClose={onClose}
      onClick={event => {
        if (event.target === event.currentTarget) event.currentTarget.close()
      }}
      onKeyDown={event => event.stopPropagation()}
    >
      <div class="dialog-body">
        <header>
          <h2>{title}</h2>
          <IconButton icon="x" label="Close" tipAlign="end" onClick={() => dialog.current?.close()} />
        </header>
        {children}
      </div>
    </dialog>
  )
}
