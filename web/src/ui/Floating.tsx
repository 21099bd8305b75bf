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

/** What floats beside a place in the text, and moves with it. Draws nothing over the place itself. */
export function Floating({ rect, context, placement, gap = 8, version, children, ...props }: Props) {
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
      const { x, y } = await computePosition(reference, floating, {
        strategy: 'absolute',
        placement,
        middleware: [
          inline(),
          offset(gap),
          flip({ padding: { top: 56, bottom: 8, left: 8, right: 8 } }),
          shift({ padding: 8 }),
        ],
      })
      floating.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`
      floating.style.opacity = '1'
    }
    return autoUpdate(reference, floating, place)
  }, [context, placement, gap, version])

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
