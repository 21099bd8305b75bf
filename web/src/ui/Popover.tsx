import { autoUpdate, computePosition, flip, offset, type Placement, shift, size } from '@floating-ui/dom'
import type { ComponentChildren, RefObject } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'

interface Props {
  anchor: RefObject<HTMLElement | null>
  placement?: Placement
  label: string
  class?: string
  children: ComponentChildren
  onClose(): void
}

const focusable = 'a[href], button:not([disabled]), input:not([disabled]), [tabindex="0"]'

/**
 * What opens below a button. Takes the focus, and gives it back to the button; closes with Escape, a click elsewhere, or
 * when the focus leaves.
 */
export function Popover({ anchor, placement = 'bottom-end', label, children, onClose, ...props }: Props) {
  const panel = useRef<HTMLDivElement>(null)

  useLayoutEffect(() => {
    const element = panel.current
    const button = anchor.current
    if (element === null || button === null) return
    return autoUpdate(button, element, async () => {
      const { x, y } = await computePosition(button, element, {
        strategy: 'fixed',
        placement,
        middleware: [
          offset(8),
          flip({ padding: 8 }),
          shift({ padding: 8 }),
          size({
            padding: 8,
            apply: ({ availableHeight }) => {
              element.style.maxHeight = `${Math.max(availableHeight, 120)}px`
            },
          }),
        ],
      })
      element.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`
    })
  }, [anchor, placement])

  // Before it is seen: an Escape that follows at once must find the focus here.
  useLayoutEffect(() => {
    const element = panel.current
    const button = anchor.current
    if (element === null) return
    // By a key, on the first item, where it is seen; by mouse or touch, which point at what they want, on the panel.
    const isByKey = button?.matches(':focus-visible') === true
    const first = element.querySelector<HTMLElement>('[autofocus]') ?? (isByKey ? stopsIn(element)[0] : null) ?? element
    first.focus({ preventScroll: true })
    const close = (event: PointerEvent) => {
      if (event.target instanceof Node && !element.contains(event.target) && !button?.contains(event.target)) onClose()
    }
    document.addEventListener('pointerdown', close)
    return () => {
      document.removeEventListener('pointerdown', close)
      if (element.contains(document.activeElement) || document.activeElement === document.body) button?.focus()
    }
  }, [anchor, onClose])

  return (
    <div
      ref={panel}
      class={`popover ${props.class ?? ''}`}
      role="dialog"
      aria-label={label}
      tabIndex={-1}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation()
          anchor.current?.focus()
          onClose()
        } else if (
          (event.key === 'ArrowDown' || event.key === 'ArrowUp') &&
          !(event.target instanceof HTMLInputElement)
        ) {
          event.preventDefault()
          moveFocus(event.currentTarget, event.key === 'ArrowDown' ? 1 : -1)
        }
      }}
      onFocusOut={event => {
        const next = event.relatedTarget
        if (next instanceof Node && !event.currentTarget.contains(next) && !anchor.current?.contains(next)) onClose()
      }}
    >
      {children}
    </div>
  )
}

/** What the Tab key stops at; not what is there for another width of the page. */
function stopsIn(element: HTMLElement): HTMLElement[] {
  return [...element.querySelectorAll<HTMLElement>(focusable)].filter(stop => stop.getClientRects().length > 0)
}

function moveFocus(within: HTMLElement, step: 1 | -1): void {
  const all = stopsIn(within)
  const index = all.indexOf(document.activeElement as HTMLElement)
  // On the panel itself, the first or the last.
  if (index < 0) all.at(step === 1 ? 0 : -1)?.focus()
  else all.at((index + step) % all.length)?.focus()
}
