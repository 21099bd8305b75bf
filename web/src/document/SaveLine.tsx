import type { ReadonlySignal } from '@preact/signals'
import { useEffect, useState } from 'preact/hooks'
import { Icon } from '../ui/Icon.tsx'
import type { SaveState, ShownSaveState } from './saveState.ts'

/** States that a person who can't see the line should hear of; the coming and going of "Saving…" is not one. */
const spoken: readonly SaveState[] = ['offline', 'unkept', 'refused', 'failed', 'late']

const details: Record<SaveState, string> = {
  opening: 'Waiting for the document’s content.',
  connecting: 'This is the copy on this device. The server hasn’t answered yet.',
  reading: 'You see what others write.',
  saved: 'Everything is stored on the server.',
  pending: 'The last edit is on its way to the server.',
  saving: 'The last edits are on their way to the server.',
  late: 'The server hasn’t said that it stored your last edits. They are kept on this device.',
  offline: 'Go on writing: your edits are written to this device, and go to the server when it can be reached.',
  unkept: 'This browser can’t keep a copy. Leave this page open until you are online again.',
  refused: 'What you see is the copy on this device.',
  failed: 'Your text is kept on this device.',
}

interface Props {
  save: ReadonlySignal<ShownSaveState>
  isKept: ReadonlySignal<boolean>
  /** Whether a note on the page says why nothing is saved: there is no room for that here on a phone. */
  isExplained: boolean
}

/** Whether what is written is stored, true at every moment. */
export function SaveLine({ save, isKept, isExplained }: Props) {
  const { state, text } = save.value
  const [heard, setHeard] = useState('')
  useEffect(() => {
    // That the edits are kept is said once, and not after each of them.
    if (state === 'offline') setHeard(was => (text === 'Offline' && was.startsWith(text) ? was : text))
    else if (spoken.includes(state)) setHeard(state === 'late' ? 'Not saved yet' : text)
    else if (state === 'saved') setHeard(was => (was === '' ? '' : 'Saved'))
  }, [state, text])
  const detail =
    !isKept.value && (state === 'late' || state === 'refused' || state === 'failed')
      ? 'Leave this page open: this browser has no copy of your last edits.'
      : details[state]
  const colon = isExplained ? text.indexOf(': ') : -1
  const brief = colon < 0 ? text : text.slice(0, colon)
  return (
    <>
      <span class="save-line" data-testid="save-state" data-state={state} data-tip={detail} data-tip-wide>
        <span class="save-sign">
          {state === 'reading' && <Icon name="eye" size={16} />}
          {state === 'saved' && <Icon name="check" size={16} />}
          {(state === 'offline' || state === 'unkept' || state === 'refused') && <Icon name="cloud-off" size={16} />}
          {(state === 'failed' || state === 'late') && <Icon name="triangle-alert" size={16} />}
          {(state === 'pending' || state === 'saving' || state === 'connecting' || state === 'opening') && (
            <span class="dot" />
          )}
        </span>
        <span class="save-text">
          {brief}
          <span class="save-why">{text.slice(brief.length)}</span>
        </span>
      </span>
      <span class="hidden" role="status">
        {heard}
      </span>
    </>
  )
}
