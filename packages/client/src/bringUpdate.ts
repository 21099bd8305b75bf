import type { DocumentAddress } from './documentAddress.ts'

/** Answers that another attempt won't change: no right to it, or too large even so. */
const REFUSED = [403, 413, 415, 422]

/**
 * Brings an update to the server over HTTP, where it is too large for a message (PROTOCOL.md, “Documents over HTTP”). It is on
 * the server's disk when this resolves with null.
 * @param token empty where there is none
 * @param all of the replica: where the server has less than it had when it asked (its store is one from a backup), it gets that
 * @returns why it won't be taken; null: it is stored
 * @throws {Error} it may be stored or not, and another attempt may help; `signal`'s reason
 */
export async function bringUpdate(
  { serverUrl, path, params }: DocumentAddress,
  token: string,
  update: Uint8Array,
  all: () => Uint8Array,
  signal: AbortSignal,
): Promise<string | null> {
  const bearer = token || params.token
  const part = params.part === undefined ? '' : `?part=${params.part}`
  for (const bytes of [() => update, all]) {
    const response = await fetch(`${serverUrl.replace(/^ws/, 'http')}/api/v1/documents/${path}${part}`, {
      method: 'PATCH',
      headers: { 'Content-Type': 'application/octet-stream', ...(bearer && { Authorization: `Bearer ${bearer}` }) },
      // lib0 and Yjs never share their memory.
      body: bytes() as Uint8Array<ArrayBuffer>,
      signal,
    })
    if (response.ok) return null
    // Of a server of ours, or of a proxy before it.
    const text = await response.text()
    if (text.includes('"incomplete"')) continue
    const reason = `${response.status} ${text.slice(0, 200)}`
    if (REFUSED.includes(response.status)) return reason
    throw new Error(reason)
  }
  throw new Error('the server lacks what this replica lacks, too')
}
