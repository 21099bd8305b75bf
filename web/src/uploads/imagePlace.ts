import type { Editor } from '@tiptap/core'
import type { ResolvedPos } from '@tiptap/pm/model'
import type { Transaction } from '@tiptap/pm/state'
import {
  absolutePositionToRelativePosition,
  relativePositionToAbsolutePosition,
  ySyncPluginKey,
} from '@tiptap/y-tiptap'
import type { ImagePlace } from './Uploads.ts'

/**
 * A place in the shared text, as Yjs keeps it: what is written meanwhile moves it along, and the caret stays where it is.
 * @param current the editor of that moment: it may be replaced, or be there for reading only
 */
export function imagePlace(editor: Editor, at: number, current: () => Editor | null): ImagePlace {
  let place = keep(editor, at)
  return {
    put(src, alt) {
      const now = current()
      if (now === null || now.isDestroyed || !now.isEditable) return false
      const { tr } = now.state
      const end = putImage(tr, find(now, place) ?? tr.doc.content.size, { src, alt: alt === '' ? null : alt })
      now.view.dispatch(tr)
      place = keep(now, end)
      return true
    },
  }
}

/** Puts an image at a position, or beside the block that this is in. @returns the position after it */
export function putImage(tr: Transaction, at: number, attributes: { src: string; alt: string | null }): number {
  const type = tr.doc.type.schema.nodes.image
  if (type === undefined) throw new TypeError('the schema has no image')
  const position = tr.doc.resolve(Math.min(at, tr.doc.content.size))
  const free = placesBeside(position).find(candidate => {
    const { parent, index } = resolvedIn(tr, candidate)
    return parent.canReplaceWith(index, index, type)
  })
  const image = type.create(attributes)
  if (free === undefined) tr.replaceWith(position.pos, position.pos, image)
  else tr.insert(free, image)
  return (free ?? tr.mapping.map(position.pos)) + (free === undefined ? 0 : image.nodeSize)
}

/** Where no text has to be split, best first: before an empty line, which is then there to write on; after a whole one. */
function placesBeside(position: ResolvedPos): number[] {
  const { parent, parentOffset, depth } = position
  if (!parent.isTextblock) return [position.pos]
  if (depth === 0) return []
  const places: number[] = []
  if (parentOffset === 0) places.push(position.before())
  if (parentOffset === parent.content.size) places.push(position.after())
  return places
}

function resolvedIn(tr: Transaction, at: number) {
  const position = tr.doc.resolve(at)
  return { parent: position.parent, index: position.index() }
}

function keep({ state }: Editor, at: number): unknown {
  const { type, binding } = ySyncPluginKey.getState(state)
  return absolutePositionToRelativePosition(at, type, binding.mapping)
}

function find({ state }: Editor, place: unknown): number | null {
  const { doc, type, binding } = ySyncPluginKey.getState(state)
  return relativePositionToAbsolutePosition(doc, type, place as never, binding.mapping)
}
