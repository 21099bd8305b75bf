/** What a close code tells the client to do next. Only `stop` is final: y-websocket (3.1 and later) treats 4400 to 4499 so. */
export type CloseAction = 'stop' | 'retry' | 'retry-later'

export interface CloseMeaning {
  readonly code: number
  /** First word of the close reason (`word: text`). */
  readonly word: string
  readonly meaning: string
  readonly action: CloseAction
}

/** Every close code that a Weft server sends. An API: PROTOCOL.md prints this table, a test compares the two. */
export const closeCode = {
  left: { code: 1000, word: 'left', meaning: 'the client left', action: 'stop' },
  brokenFrame: { code: 1002, word: 'broken-frame', meaning: 'a broken WebSocket frame', action: 'retry' },
  text: { code: 1003, word: 'text', meaning: 'a text frame', action: 'stop' },
  malformed: {
    code: 1007,
    word: 'malformed',
    meaning: 'a message or update that does not decode or breaks a rule',
    action: 'retry',
  },
  policy: {
    code: 1008,
    word: 'policy',
    meaning: 'a rate, a silence, a client id in use or a gap that stays',
    action: 'retry',
  },
  tooBig: { code: 1009, word: 'too-big', meaning: 'a message over its limit', action: 'retry' },
  internal: { code: 1011, word: 'internal', meaning: 'our fault: this document cannot be read, say', action: 'retry' },
  restart: {
    code: 1012,
    word: 'restart',
    meaning: 'the server stops or restarts, or the document is reloaded',
    action: 'retry-later',
  },
  overload: {
    code: 1013,
    word: 'overload',
    meaning: 'overload, or a reader that is too slow: the reason names the seconds to wait',
    action: 'retry-later',
  },
  repeatedlyMalformed: {
    code: 4400,
    word: 'repeatedly-malformed',
    meaning: 'the third malformed message within 60 s',
    action: 'stop',
  },
  unauthorized: {
    code: 4401,
    word: 'unauthorized',
    meaning: 'a missing, bad, expired or revoked token',
    action: 'stop',
  },
  forbidden: { code: 4403, word: 'forbidden', meaning: 'no right to this', action: 'stop' },
  badName: { code: 4404, word: 'bad-name', meaning: 'the URL names no document', action: 'stop' },
  deleted: { code: 4404, word: 'deleted', meaning: 'the document was deleted', action: 'stop' },
  tooLarge: { code: 4413, word: 'too-large', meaning: 'the document is at its hard size limit', action: 'stop' },
} as const satisfies Record<string, CloseMeaning>

export type CloseName = keyof typeof closeCode

/** Whether a client must not come back by itself after this close code (4400 to 4499). */
export function isFinalClose(code: number): boolean {
  return code >= 4400 && code < 4500
}

/** Close reasons hold at most 123 bytes (RFC 6455, section 5.5). */
const MAX_REASON_BYTES = 123

/** The close reason `word: text`, cut at a character so that it fits into a close frame. */
export function closeReason(name: CloseName, text: string): string {
  const reason = `${closeCode[name].word}: ${text}`
  const bytes = new TextEncoder().encode(reason)
  if (bytes.length <= MAX_REASON_BYTES) return reason
  let end = MAX_REASON_BYTES
  // A byte 10xxxxxx continues a character: step back to where one begins.
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return new TextDecoder().decode(bytes.subarray(0, end))
}

/** Takes a close reason `word: text` apart; a reason without a word gives an empty `word`. */
export function parseCloseReason(reason: string): { word: string; text: string } {
  const match = /^([a-z][a-z-]*): (.*)$/su.exec(reason)
  return match ? { word: match[1] ?? '', text: match[2] ?? '' } : { word: '', text: reason }
}

/** The seconds that a close reason asks a client to wait (`overload: retry after 5 s`), or null. */
export function retryAfterSeconds(reason: string): number | null {
  const match = /\bretry after (\d{1,6}) s\b/u.exec(reason)
  return match ? Number(match[1]) : null
}
