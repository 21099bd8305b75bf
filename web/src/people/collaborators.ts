import { namelessName } from '../device/me.ts'
import { colorOf, isHexColor } from './color.ts'

/** Somebody who has this document open, as the editor shows them. */
export interface Collaborator {
  /** Equal for two windows of one person. */
  key: string
  /** One of that person's clients: the one whose caret is gone to. */
  clientID: number
  name: string
  /** `#rrggbb` */
  color: string
  isMe: boolean
}

const maxShownNameLength = 60

/** Name and colour from an awareness state that can hold anything. */
export function shownUser(state: unknown, clientID: number): { name: string; color: string; id: string | null } {
  const user: unknown = typeof state === 'object' && state !== null ? Reflect.get(state, 'user') : null
  const fields = (typeof user === 'object' && user !== null ? user : {}) as Record<string, unknown>
  const name = typeof fields.name === 'string' ? fields.name.trim().slice(0, maxShownNameLength) : ''
  const id = typeof fields.id === 'string' && fields.id !== '' ? fields.id : null
  return {
    name: name === '' ? namelessName : name,
    color: isHexColor(fields.color) ? fields.color : colorOf(id ?? String(clientID)),
    id,
  }
}

/** Who is here, me first, then by name. Clients that show no user at all (programs that only read) are not people. */
export function collaborators(states: ReadonlyMap<number, unknown>, myClientID: number): Collaborator[] {
  const people = new Map<string, Collaborator>()
  for (const [clientID, state] of states) {
    const hasUser = typeof state === 'object' && state !== null && Boolean(Reflect.get(state, 'user'))
    if (!hasUser && clientID !== myClientID) continue
    const { name, color, id } = shownUser(state, clientID)
    const key = id ?? `client ${clientID}`
    const known = people.get(key)
    const isMe = clientID === myClientID
    if (known === undefined || isMe) people.set(key, { key, clientID, name, color, isMe })
  }
  return [...people.values()].sort(
    (a, b) =>
      Number(b.isMe) - Number(a.isMe) ||
      a.name.localeCompare(b.name, undefined, { numeric: true }) ||
      (a.key < b.key ? -1 : 1),
  )
}

/** One or two letters for an avatar: the first of the first and of the last word. */
export function initials(name: string): string {
  const words = name.split(/[\s._-]+/u).filter(Boolean)
  const [first = '?', ...rest] = words
  const last = rest.at(-1) ?? ''
  return [[...first][0] ?? '', [...last][0] ?? ''].join('').toLocaleUpperCase()
}
