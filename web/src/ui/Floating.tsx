import {
  autoUpdate,
  computePosition,
  flip,
  inline,
  offset,
  type Placement,
  shift,
  type VirtualElement,
} from '@floating-ui/dom'
import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'

interface Props {
  /** What this floats beside: its rectangle in the window. */
  rect: () => DOMRect | null
  /** An element that moves when the text does. */
  context: Element
  placement: Placement
  gap?: number
  /** Of a list: cuts it at whole rows, and opens it below as long as a few of them have room there. */
  isList?: boolean
  class: string
  /** Changes whenever the rectangle may have. */
  version: unknown
  role?: 'toolbar' | 'listbox' | 'dialog'
  label?: string
  id?: string
  testId?: string
  children: ComponentChildren
  onKeyDown?: (event: KeyboardEvent) => void
}

/** Room to the window's edges: the top line is in the way. */
const padding = { top: 56, bottom: 8, left: 8, right: 8 }

/** Rows of a list that are seen at once, and how many are enough to open it below. */
const maxRows = 9
const enoughRows = 5

/** Gives a list the height of as many whole rows as have room. @returns the side on which that is */
function fitRows(list: HTMLElement, { top, bottom }: { top: number; bottom: number }, gap: number): 'top' | 'bottom' {
  const row = list.firstElementChild?.getBoundingClientRect().height || 1
  const { paddingTop, paddingBottom } = getComputedStyle(list)
  const around = Number.parseFloat(paddingTop) + Number.parseFloat(paddingBottom)
  // Less than the window where a keyboard covers it.
  const { offsetTop = 0, height = window.innerHeight } = window.visualViewport ?? {}
  const below = Math.floor((offsetTop + height - padding.bottom - bottom - gap - around) / row)
  const above = Math.floor((top - gap - offsetTop - padding.top - around) / row)
  const wanted = Math.min(list.childElementCount, maxRows)
  const side = below >= Math.min(wanted, enoughRows) || below >= above ? 'bottom' : 'top'
  const rows = Math.min(wanted, Math.max(side === 'bottom' ? below : above, 1))
  list.style.maxHeight = `${rows * row + around}px`
  return side
}

/** What floats beside a place in the text, and moves with it. Draws nothing over the place itself. */
export function Floating({ rect, context, placement, gap = 8, isList = false, version, children, ...props }: Props) {
  const element = useRef<HTMLDivElement>(null)
  const current = useRef(rect)
  current.current = rect

  useLayoutEffect(() => {
    const floating = element.current
    if (floating === null) return
    let last = new DOMRect()
    const reference: VirtualElement = {
      contextElement: context,
      getBoundingClientRect: () => {
        last = current.current() ?? last
        return last
      },
      getClientRects: () => [last],
    }
    const place = async () => {
      const side = isList ? fitRows(floating, reference.getBoundingClientRect(), gap) : null
      const { x, y } = await computePosition(reference, floating, {
        strategy: 'absolute',
        placement: side === null ? placement : `${side}-start`,
        middleware: [inline(), offset(gap), ...(side === null ? [flip({ padding })] : []), shift({ padding: 8 })],
      })
      floating.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`
      floating.style.opacity = '1'
    }
    return autoUpdate(reference, floating, place)
  }, [context, placement, gap, isList, version])

  return (
    // biome-ignore lint/a11y: every use gives the role that goes with its label and keys
    <div
      ref={element}
      class={`floating ${props.class}`}
      role={props.role}
      aria-label={props.label}
      id={props.id}
      data-testid={props.testId}
      onKeyDown={props.onKeyDown}
    >
      {children}
    </div>
  )
}
