import { type CloseName, closeCode } from './closeCode.ts'

/** Close reasons hold at most 123 bytes (RFC 6455, section 5.5). */
const MAX_REASON_BYTES = 123

/**
 * The close reason `word: text`, cut at a character so that it fits into a close frame. Apart from the codes: who looks them up by
 * name has all of them, and pages don't.
 */
export function closeReason(name: CloseName, text: string): string {
  const reason = `${closeCode[name].word}: ${text}`
  const bytes = new TextEncoder().encode(reason)
  if (bytes.length <= MAX_REASON_BYTES) return reason
  let end = MAX_REASON_BYTES
  // A byte 10xxxxxx continues a character: step back to where one begins.
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return new TextDecoder().decode(bytes.subarray(0, end))
}
