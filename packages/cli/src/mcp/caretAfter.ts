import * as Y from 'yjs'

/** A caret in awareness, as y-tiptap's editors write and draw it. */
export interface Caret {
  readonly anchor: unknown
  readonly head: unknown
}

type Place = readonly [text: Y.XmlText, index: number]

/**
 * Where an editor's caret would stand after a change: behind what was inserted last, or where something was deleted.
 * @param events of `observeDeep` on the text
 * @returns null: nothing changed that a caret could stand in
 */
export function caretAfter(events: readonly Y.YEvent<Y.XmlText | Y.XmlElement | Y.XmlFragment>[]): Caret | null {
  let place: Place | null = null
  for (const event of events) place = placeAfter(event) ?? place
  if (place === null) return null
  const position = Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(...place))
  return { anchor: position, head: position }
}

function placeAfter({ target, delta }: Y.YEvent<Y.XmlText | Y.XmlElement | Y.XmlFragment>): Place | null {
  let place: Place | null = null
  let index = 0
  for (const { insert, retain = 0, delete: deleted } of delta) {
    index += retain
    if (target instanceof Y.XmlText) {
      if (typeof insert === 'string') index += insert.length
      if (insert !== undefined || deleted !== undefined) place = [target, index]
    } else if (Array.isArray(insert)) {
      index += insert.length
      place = endOf(insert) ?? place
    }
  }
  return place
}

/** The end of the last text in what was inserted. */
function endOf(types: readonly unknown[]): Place | null {
  for (const type of types.toReversed()) {
    if (type instanceof Y.XmlText) return [type, type.length]
    const place = type instanceof Y.XmlElement ? endOf(type.toArray()) : null
    if (place !== null) return place
  }
  return null
}
