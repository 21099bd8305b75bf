/** Every close code that a Weft server sends, and the first word of its reason (`word: text`). An API: `closeMeaning` says what each means. */
export * as closeCode from './closeCodes.ts'

export type CloseName = keyof typeof import('./closeCodes.ts')

/** Whether a client must not come back by itself after this close code (4400 to 4499). */
export function isFinalClose(code: number): boolean {
  return code >= 4400 && code < 4500
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
