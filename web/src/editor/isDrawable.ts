import { FRAGMENT_NAME } from '@weft/schema'

/**
 * Whether an awareness state can be handed to y-tiptap (3.0.9), which draws carets while it applies a change of the text: a
 * state in which it stumbles would take the text away. Anybody who may read can send any JSON object.
 */
export function isDrawable(state: unknown): boolean {
  if (!isObject(state)) return false
  const { user, cursor } = state
  // It writes a name and a colour into what is there, and tests the colour as text.
  if (user !== undefined && user !== null && !isObject(user)) return false
  if (isObject(user) && user.color !== undefined && user.color !== null && typeof user.color !== 'string') return false
  return isObject(cursor) && isPlace(cursor.anchor) && isPlace(cursor.head)
}

/** A relative position of Yjs as JSON: beside an item, at the end of a type, or at the end of the text. */
function isPlace(place: unknown): boolean {
  if (!isObject(place)) return false
  const { item = null, type = null, tname = null, assoc = 0 } = place
  if (!Number.isInteger(assoc) || (item === null && type === null && tname === null)) return false
  // Another name would become a shared type of that name.
  return (item === null || isId(item)) && (type === null || isId(type)) && (tname === null || tname === FRAGMENT_NAME)
}

function isId(id: unknown): boolean {
  return isObject(id) && [id.client, id.clock].every(part => Number.isSafeInteger(part) && Number(part) >= 0)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
