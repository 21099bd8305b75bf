import { maxNameLength, me, setMyName } from '../device/me.ts'

/** Where a person says what the others call them. Kept on this device, as it is typed. */
export function NameField({ isFocused = false, onDone }: { isFocused?: boolean; onDone?: () => void }) {
  return (
    <form
      class="name-field"
      onSubmit={event => {
        event.preventDefault()
        onDone?.()
      }}
    >
      <label for="my-name">Your name, as others see it</label>
      <input
        id="my-name"
        type="text"
        autocomplete="name"
        placeholder="Name"
        maxLength={maxNameLength}
        data-testid="name-field"
        autofocus={isFocused}
        defaultValue={me.value.name}
        onInput={event => setMyName(event.currentTarget.value)}
      />
    </form>
  )
}
