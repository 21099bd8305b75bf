import type { Access } from '../access/Access.ts'
import { stillGiven } from '../access/Grant.ts'
import type { Session } from '../room/Session.ts'

/**
 * Puts a newer token in the place of the one that a session has: the same user's, which counts at once, with its role and its end.
 * Any other ends the session.
 * @param isOpen asked once the token is verified: whether the session is still there
 */
export async function renewSession(
  session: Session,
  token: string,
  access: Pick<Access, 'admit'>,
  isOpen: () => boolean,
): Promise<void> {
  const admitted = await access.admit(token, session.room.documentId)
  if (!isOpen()) return
  // Whoever took it back meanwhile had the session look at its old right, not at this one.
  const grant = stillGiven(admitted)
  if ('close' in grant) session.outlet.close(grant.close, grant.text)
  else if (grant.userId !== session.userId) session.outlet.close('forbidden', 'this is the token of another user')
  else session.renew(grant)
}
