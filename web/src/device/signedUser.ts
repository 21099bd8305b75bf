import { signal } from '@preact/signals'

/** Who somebody is by their token: what the server shows the others, whatever name is kept on this device. */
export interface SignedUser {
  id: string
  name: string
}

/** Key of whoever has a token of their own, for all documents; the other keys are documents that a share link led to. */
const EVERYWHERE = ''

const users = signal<ReadonlyMap<string, SignedUser>>(new Map())

/** @param documentId of a guest: where they are that */
export function setSignedUser(user: SignedUser | null, documentId = EVERYWHERE): void {
  const next = new Map(users.peek())
  if (user === null) next.delete(documentId)
  else next.set(documentId, user)
  users.value = next
}

/** Who this person is in a document; `null`: nobody says so, and the name is theirs to give. */
export function signedUserIn(documentId: string): SignedUser | null {
  return users.value.get(documentId) ?? users.value.get(EVERYWHERE) ?? null
}

/** Whose a token is: `sub` and `name` of a JWT (RFC 7519, section 4.1.2); `null` for what names nobody. Nothing is verified here. */
export function signedUserOf(token: string): SignedUser | null {
  try {
    const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/')
    const bytes = Uint8Array.from(atob(payload), character => character.charCodeAt(0))
    const { sub, name } = JSON.parse(new TextDecoder().decode(bytes)) as { sub?: unknown; name?: unknown }
    return typeof sub === 'string' && sub !== '' ? named(sub, name) : null
  } catch {
    return null
  }
}

/** As the server does: who has no name is called by the id. */
export function named(id: string, name: unknown): SignedUser {
  return { id, name: typeof name === 'string' && name.trim() !== '' ? name : id }
}
