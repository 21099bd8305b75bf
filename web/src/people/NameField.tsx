import { useEffect, useRef, useState } from 'preact/hooks'
import { cleanName, maxNameLength, me, setMyName } from '../device/me.ts'

/** A name is given to the server when nobody has typed for so long, in ms. */
const settledAfterMs = 600

/**
 * Where a person says what the others call them. Kept on this device, as it is typed; a guest's is in a token, which `onRename`
 * asks for.
 * @param initial what the others see now
 */
export function NameField({
  initial = me.value.name,
  isFocused = false,
  onRename,
  onDone,
}: {
  initial?: string
  isFocused?: boolean
  /** @throws {Error} in words */
  onRename?: (name: string) => Promise<void>
  onDone?: () => void
}) {
  const [problem, setProblem] = useState('')
  const typed = useRef<{ name: string; timer: ReturnType<typeof setTimeout> } | null>(null)
  const isShown = useRef(true)

  const give = () => {
    if (typed.current === null || onRename === undefined) return
    const { name, timer } = typed.current
    clearTimeout(timer)
    typed.current = null
    onRename(name).then(
      () => isShown.current && setProblem(''),
      (error: unknown) => isShown.current && setProblem(error instanceof Error ? error.message : String(error)),
    )
  }
  const giving = useRef(give)
  giving.current = give
  // Who closes the list has said their name all the same.
  useEffect(
    () => () => {
      isShown.current = false
      giving.current()
    },
    [],
  )
  const type = (text: string) => {
    setMyName(text)
    if (onRename === undefined) return
    if (typed.current !== null) clearTimeout(typed.current.timer)
    typed.current = { name: cleanName(text), timer: setTimeout(() => giving.current(), settledAfterMs) }
  }

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
        dir="auto"
        autocomplete="name"
        placeholder="Name"
        maxLength={maxNameLength}
        data-testid="name-field"
        autofocus={isFocused}
        defaultValue={initial}
        onInput={event => type(event.currentTarget.value)}
      />
      {problem !== '' && (
        <p class="field-problem" role="alert">
          {problem}
        </p>
      )}
    </form>
  )
}
