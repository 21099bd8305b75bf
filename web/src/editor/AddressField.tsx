import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { IconButton } from '../ui/IconButton.tsx'

interface Props {
  label: string
  placeholder: string
  initial: string
  /** Why this can't be taken, in words; `null` if it can. */
  problem(address: string): string | null
  onSubmit(address: string): void
  onCancel(): void
}

/** One line for an address. Enter takes it, Escape leaves it. */
export function AddressField({ label, placeholder, initial, problem, onSubmit, onCancel }: Props) {
  const input = useRef<HTMLInputElement>(null)
  const [address, setAddress] = useState(initial)
  const [complaint, setComplaint] = useState<string | null>(null)

  // Before it is seen: what is typed at once belongs here.
  useLayoutEffect(() => {
    input.current?.focus({ preventScroll: true })
    input.current?.select()
  }, [])

  return (
    <form
      class="address-field"
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
