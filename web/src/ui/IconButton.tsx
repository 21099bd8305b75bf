import type { Ref } from 'preact'
import { Icon, type IconName } from './Icon.tsx'
import { shownShortcut } from './platform.ts'

interface Props {
  icon: IconName
  /** The button's name: for screen readers, and as its tooltip. */
  label: string
  /** As TipTap writes it: `Mod-b`. Shown in the tooltip. */
  shortcut?: string
  /** A button that stays down. */
  isPressed?: boolean
  isDisabled?: boolean
  /** For a button that opens something. */
  isExpanded?: boolean
  class?: string
  tipAlign?: 'start' | 'end'
  tabIndex?: number
  buttonRef?: Ref<HTMLButtonElement>
  testId?: string
  onClick(event: MouseEvent): void
}

/** A button that is an icon. */
export function IconButton(props: Props) {
  const { icon, label, shortcut, isPressed, isDisabled, isExpanded, tipAlign, tabIndex, buttonRef, testId, onClick } =
    props
  return (
    <button
      type="button"
      class={`icon-button ${props.class ?? ''}`}
      aria-label={label}
      aria-pressed={isPressed}
      aria-expanded={isExpanded}
      disabled={isDisabled}
      tabIndex={tabIndex}
      ref={buttonRef ?? null}
      data-testid={testId}
      data-tip={shortcut === undefined ? label : `${label}  ${shownShortcut(shortcut)}`}
      data-tip-align={tipAlign}
      // The text keeps its selection and the focus.
      onMouseDown={event => event.preventDefault()}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  )
}
