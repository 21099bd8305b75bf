import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { IconButton } from '../ui/IconButton.tsx'
import { imageTypes } from '../uploads/uploadFile.ts'

interface Props {
  label: string
  placeholder: string
  initial: string
  /** Why this can't be taken, in words; `null` if it can. */
  problem(address: string): string | null
  onSubmit(address: string): void
  onCancel(): void
  /** For what may be a file, too. */
  onFiles?(files: Iterable<File>): void
}

/** One line for an address. Enter takes it, Escape leaves it. */
export function AddressField({ label, placeholder, initial, problem, onSubmit, onCancel, onFiles }: Props) {
  const input = useRef<HTMLInputElement>(null)
  const chooser = useRef<HTMLInputElement>(null)
  const [address, setAddress] = useState(initial)
  const [complaint, setComplaint] = useState<string | null>(null)

  // Before it is seen: what is typed at once belongs here.
  useLayoutEffect(() => {
    input.current?.focus({ preventScroll: true })
    input.current?.select()
  }, [])

  return (
    <form
      class={`address-field ${onFiles === undefined ? '' : 'has-files'}`}
      onSubmit={event => {
        event.preventDefault()
        const found = address.trim() === '' ? null : problem(address)
        if (found === null) onSubmit(address)
        else setComplaint(found)
      }}
      onKeyDown={event => {
        if (event.key !== 'Escape') return
        event.preventDefault()
        event.stopPropagation()
        onCancel()
      }}
    >
      <input
        ref={input}
        type="text"
        inputMode="url"
        autocomplete="off"
        spellcheck={false}
        aria-label={label}
        aria-invalid={complaint !== null}
        placeholder={placeholder}
        value={address}
        onInput={event => {
          setAddress(event.currentTarget.value)
          setComplaint(null)
        }}
      />
      {onFiles !== undefined && (
        <>
          <input
            ref={chooser}
            class="hidden"
            type="file"
            accept={imageTypes.join()}
            multiple
            tabIndex={-1}
            aria-hidden="true"
            data-testid="image-files"
            onChange={event => onFiles([...(event.currentTarget.files ?? [])])}
          />
          <IconButton icon="upload" label="Choose a file" onClick={() => chooser.current?.click()} />
        </>
      )}
      <IconButton
        icon="check"
        label="Apply"
        onClick={event => event.currentTarget instanceof HTMLButtonElement && event.currentTarget.form?.requestSubmit()}
      />
      {complaint !== null && (
        <p class="field-problem" role="alert">
          {complaint}
        </p>
      )}
    </form>
  )
}
