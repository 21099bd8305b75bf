import { Extension } from '@tiptap/core'
import { type EditorState, Plugin } from '@tiptap/pm/state'
import type { DecorationSet, EditorView } from '@tiptap/pm/view'
import { yCursorPlugin, yCursorPluginKey } from '@tiptap/y-tiptap'
import type { Awareness } from 'y-protocols/awareness'
import { shownUser } from '../people/collaborators.ts'
import { textColorOn } from '../people/color.ts'
import { isDrawable } from './isDrawable.ts'

/** How long a caret shows its name after it moved, in ms. */
const nameShownMs = 2_000

interface Caret {
  element: HTMLElement
  label: HTMLElement
}

/**
 * The carets and selections of the others: y-tiptap's plugin, with carets of our own. A caret shows its name while it
 * moves and for a while after, unless that would cover the line on which this person writes.
 */
export function carets(awareness: Awareness): Extension {
  const drawn = new Map<number, Caret>()
  const shownUntil = new Map<number, number>()
  const timers = new Map<number, ReturnType<typeof setTimeout>>()
  const lastCursor = new Map<number, string>()

  const dress = ({ element, label }: Caret, clientID: number) => {
    const { name, color } = shownUser(awareness.getStates().get(clientID), clientID)
    element.style.setProperty('--person', color)
    element.style.setProperty('--on-person', textColorOn(color))
    label.dataset.name = name
  }

  const build = (_user: unknown, clientID: number): HTMLElement => {
    const element = document.createElement('span')
    element.className = 'caret'
    element.dataset.client = String(clientID)
    // No text in it, the name is drawn by the style: a browser would set this person's own caret into it (a click beyond
    // the end of the line), and drop what is typed there.
    const label = document.createElement('span')
    label.className = 'caret-name'
    element.append(label)
    const caret = { element, label }
    dress(caret, clientID)
    const isNamed = (shownUntil.get(clientID) ?? 0) > performance.now()
    element.classList.toggle('is-named', isNamed)
    // Once it is in the page, which is at the end of this call.
    if (isNamed) queueMicrotask(() => turnName(element, label))
    drawn.set(clientID, caret)
    return element
  }

  const isInTheWay = (view: EditorView, label: HTMLElement): boolean => {
    if (!view.hasFocus()) return false
    const own = view.coordsAtPos(view.state.selection.head)
    const { top, bottom } = label.getBoundingClientRect()
    return bottom > own.top + 2 && top < own.bottom - 2
  }

  const showName = (view: EditorView, clientID: number) => {
    shownUntil.set(clientID, performance.now() + nameShownMs)
    clearTimeout(timers.get(clientID))
    timers.set(
      clientID,
      setTimeout(() => drawn.get(clientID)?.element.classList.remove('is-named'), nameShownMs),
    )
    // The caret is drawn, or moved, by a listener of the same event.
    requestAnimationFrame(() => {
      const caret = drawn.get(clientID)
      if (caret === undefined || view.isDestroyed) return
      turnName(caret.element, caret.label)
      caret.element.classList.add('is-named')
      caret.element.classList.toggle('is-quiet', isInTheWay(view, caret.label))
    })
  }

  return Extension.create({
    name: 'carets',
    priority: 999,
    addProseMirrorPlugins: () => [
      yCursorPlugin(awareness, {
        awarenessStateFilter: (ownID: number, clientID: number, state: unknown) =>
          clientID !== ownID && isDrawable(state),
        cursorBuilder: build,
        selectionBuilder: (_user, clientID) => ({
          class: 'other-selection',
          style: `background-color: ${shownUser(awareness.getStates().get(clientID), clientID).color}33`,
        }),
      }),
      new Plugin({
        view: view => {
          const changed = ({ added, updated, removed }: Record<'added' | 'updated' | 'removed', number[]>) => {
            for (const clientID of [...added, ...updated]) {
              if (clientID === awareness.clientID) continue
              const caret = drawn.get(clientID)
              if (caret !== undefined) dress(caret, clientID)
              const cursor = JSON.stringify(awareness.getStates().get(clientID)?.cursor ?? null)
              if (cursor === lastCursor.get(clientID)) continue
              lastCursor.set(clientID, cursor)
              if (cursor !== 'null') showName(view, clientID)
            }
            for (const clientID of removed) {
              clearTimeout(timers.get(clientID))
              for (const map of [drawn, shownUntil, timers, lastCursor]) map.delete(clientID)
            }
          }
          awareness.on('change', changed)
          return {
            // An edit of this person can take carets with it (Delete: those before the letter), and they would stay away
            // until somebody moves: they are drawn anew once Yjs has the edit, before the browser paints.
            update: (view, before) => {
              if (before.doc === view.state.doc || caretCount(view.state) >= caretCount(before)) return
              queueMicrotask(() => {
                if (!view.isDestroyed)
                  view.dispatch(view.state.tr.setMeta(yCursorPluginKey, { awarenessUpdated: true }))
              })
            },
            destroy: () => {
              awareness.off('change', changed)
              for (const timer of timers.values()) clearTimeout(timer)
            },
          }
        },
      }),
    ],
  })
}

function caretCount(state: EditorState): number {
  const decorations: DecorationSet | undefined = yCursorPluginKey.getState(state)
  // Only carets have a key; selections have none.
  return decorations?.find(undefined, undefined, ({ key }) => key !== undefined).length ?? 0
}

/** A name stands to the right of its caret; where it would pass the window's edge, to the left. */
function turnName(caret: Element, label: HTMLElement): void {
  const right = caret.getBoundingClientRect().left + label.offsetWidth
  caret.classList.toggle('is-turned', right > document.documentElement.clientWidth)
}

/** Brings somebody's caret into view. @returns whether that person has one. */
export function scrollToCaret(root: ParentNode, clientID: number): boolean {
  const caret = root.querySelector(`.caret[data-client="${clientID}"]`)
  if (caret === null) return false
  const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches
  const label = caret.querySelector<HTMLElement>('.caret-name')
  if (label !== null) turnName(caret, label)
  caret.scrollIntoView({ block: 'center', behavior: isCalm ? 'auto' : 'smooth' })
  caret.classList.add('is-named')
  setTimeout(() => caret.classList.remove('is-named'), nameShownMs)
  return true
}
