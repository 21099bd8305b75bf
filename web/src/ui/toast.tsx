import { signal } from '@preact/signals'

interface Message {
  text: string
  action?: { label: string; run(): void }
}

const shown = signal<Message | null>(null)
let timer: ReturnType<typeof setTimeout> | undefined

/** How long a message stays, in ms: time to read ten words and to reach its button. */
const shownForMs = 5_000

/** Says what has just been done, with a way back where there is one. */
export function toast(text: string, action?: Message['action']): void {
  shown.value = action === undefined ? { text } : { text, action }
  clearTimeout(timer)
  timer = setTimeout(() => {
    shown.value = null
  }, shownForMs)
}

/** Where `toast` speaks. One per page. */
export function Toasts() {
  const message = shown.value
  return (
    <div class="toasts" role="status">
      {message !== null && (
        <div class="toast" key={message.text}>
          {message.text}
          {message.action && (
            <button
              type="button"
              onClick={() => {
                message.action?.run()
                shown.value = null
              }}
            >
              {message.action.label}
            </button>
          )}
        </div>
      )}
    </div>
  )
}
