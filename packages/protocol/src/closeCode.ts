/** Every close code that a Weft server sends, and the first word of its reason (`word: text`). An API: `closeMeaning` says what each means. */
export const closeCode = {
  left: { code: 1000, word: 'left' },
  brokenFrame: { code: 1002, word: 'broken-frame' },
  text: { code: 1003, word: 'text' },
  malformed: { code: 1007, word: 'malformed' },
  policy: { code: 1008, word: 'policy' },
  tooBig: { code: 1009, word: 'too-big' },
  internal: { code: 1011, word: 'internal' },
  restart: { code: 1012, word: 'restart' },
  overload: { code: 1013, word: 'overload' },
  repeatedlyMalformed: { code: 4400, word: 'repeatedly-malformed' },
  unauthorized: { code: 4401, word: 'unauthorized' },
  forbidden: { code: 4403, word: 'forbidden' },
  badName: { code: 4404, word: 'bad-name' },
  deleted: { code: 4404, word: 'deleted' },
  tooLarge: { code: 4413, word: 'too-large' },
} as const satisfies Record<string, { readonly code: number; readonly word: string }>

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
