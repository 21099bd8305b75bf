import type { DocumentAddress } from './documentAddress.ts'

/** First and longest pause after an attempt that failed, in ms: each one sends all of it again. */
const FIRST_DELAY_MS = 1_000
const MAX_DELAY_MS = 60_000

/** What became of an update that was sent over HTTP: `incomplete`, the server lacks what it follows; `refused`, it won't be taken. */
export type UploadOutcome = { readonly state: 'stored' | 'incomplete' } | { readonly state: 'refused'; reason: string }

/** Answers that another attempt won't change: no right to it, or too large even so. */
const REFUSED = [403, 413, 415, 422]

/**
 * Sends an update over HTTP, where it is too large for a message (PROTOCOL.md, “Documents over HTTP”). It is on disk when this
 * resolves with `stored`.
 * @param token empty where there is none
 * @throws {Error} it may be stored or not, and another attempt may help; `signal`'s reason
 */
export async function uploadUpdate(
  { serverUrl, path, params }: DocumentAddress,
  token: string,
  update: Uint8Array,
  signal: AbortSignal,
): Promise<UploadOutcome> {
  const bearer = token === '' ? (params.token ?? '') : token
  const query = params.part === undefined ? '' : `?part=${params.part}`
  const response = await fetch(`${serverUrl.replace(/^ws/, 'http')}/api/v1/documents/${path}${query}`, {
    method: 'PATCH',
    headers: {
      'Content-Type': 'application/octet-stream',
      ...(bearer !== '' && { Authorization: `Bearer ${bearer}` }),
    },
    // lib0 and Yjs never share their memory.
    body: update as Uint8Array<ArrayBuffer>,
    signal,
  })
  if (response.ok) return { state: 'stored' }
  // Of a server of ours, or of a proxy before it.
  const text = await response.text()
  if (text.includes('"incomplete"')) return { state: 'incomplete' }
  const reason = `${response.status} ${text.slice(0, 200)}`
  if (REFUSED.includes(response.status)) return { state: 'refused', reason }
  throw new Error(reason)
}

/** How long to wait after so many attempts that failed, in ms. @param random in [0, 1) */
export function uploadDelay(failures: number, random: () => number): number {
  return Math.min(FIRST_DELAY_MS * 2 ** (failures - 1), MAX_DELAY_MS) * (0.5 + random() / 2)
}
