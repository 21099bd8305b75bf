import { signal } from '@preact/signals'

interface Message {
  text: string
  action?: { label: string; run(): void }
}

const shown = signal<Message | null>(null)
let timer: ReturnType<typeof setTimeout> | undefined

/** How long a message stays, in ms: time to notice and read it (two words: 2 s), and to reach its button. */
function shownForMs({ text, action }: Message): number {
  const readMs = 1_400 + 300 * text.split(' ').length
  return action === undefined ? readMs : Math.max(readMs, 5_000)
}

/** Says what has just been done, with a way back where there is one. */
export function toast(text: string, action?: Message['action']): void {
  const message: Message = action === undefined ? { text } : { text, action }
  shown.value = message
  clearTimeout(timer)
  timer = setTimeout(() => {
    shown.value = null
  }, shownForMs(message))
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
