import { useLayoutEffect, useRef } from 'preact/hooks'
import { initials } from './collaborators.ts'
import { textColorOn } from './color.ts'

/** A person as a disc with initials. */
export function Avatar({ name, color }: { name: string; color: string }) {
  const element = useRef<HTMLSpanElement>(null)
  useLayoutEffect(() => {
    element.current?.style.setProperty('--person', color)
    element.current?.style.setProperty('--on-person', textColorOn(color))
  }, [color])
  return (
    <span class="avatar" ref={element} aria-hidden="true">
      {initials(name)}
    </span>
  )
}
