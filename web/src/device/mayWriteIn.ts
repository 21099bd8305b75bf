import { callApi } from './callApi.ts'
import { heldToken, isGuest } from './guest.ts'
import { currentUser } from './token.ts'

/** Whether this person's right in a document is to write, whatever state it is in now; `null`: the server can't be asked. */
export async function mayWriteIn(documentId: string): Promise<boolean | null> {
  // Nobody is asked who they are: everybody writes.
  if (!isGuest(documentId) && currentUser() === null) return true
  const query = new URLSearchParams({ document: documentId })
  const answer = await callApi('GET', `/access?${query}`, { token: heldToken(documentId) }).catch(() => null)
  if (answer?.status !== 200) return null
  const { user, role } = answer.body
  return user === null || role === 'editor' || role === 'owner'
}
