import { base } from '../base.ts'

export interface ApiAnswer {
  readonly status: number
  /** The JSON that was answered; empty where it was none. */
  readonly body: Record<string, unknown>
  /** After so many seconds the same may be asked again; `null`: the answer doesn't say. */
  readonly retryAfterS: number | null
}

/** Longest wait for an answer, in ms. */
const patienceMs = 20_000

/**
 * One request to the server's API (PROTOCOL.md).
 * @param path below `/api/v1`
 * @param options.token says who asks; empty: the cookie does
 * @throws {Error} there was no answer
 */
export async function callApi(
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  { body, token = '' }: { body?: unknown; token?: string } = {},
): Promise<ApiAnswer> {
  const answer = await fetch(`${base}api/v1${path}`, {
    method,
    headers: {
      // What no form of a foreign page can send.
      'X-Requested-With': 'weft',
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
      ...(token !== '' && { Authorization: `Bearer ${token}` }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(patienceMs),
  })
  const retryAfter = Number(answer.headers.get('retry-after') ?? Number.NaN)
  const parsed: unknown = await answer.json().catch(() => null)
  return {
    status: answer.status,
    body: typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {},
    retryAfterS: Number.isFinite(retryAfter) ? retryAfter : null,
  }
}
