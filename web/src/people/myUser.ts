import { me, namelessName } from '../device/me.ts'
import { signedUserIn } from '../device/signedUser.ts'
import { colorOf } from './color.ts'

/** This person as the others see them in a document: awareness `user`. Reads signals. */
export function myUserIn(documentId: string): { id: string; name: string; color: string } {
  const signed = signedUserIn(documentId)
  const { id, name } = me.value
  return {
    id: signed?.id ?? id,
    name: signed?.name ?? (name === '' ? namelessName : name),
    color: colorOf(id),
  }
}
