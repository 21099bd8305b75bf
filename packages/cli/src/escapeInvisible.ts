/**
 * Writes what a terminal obeys instead of showing it (controls, marks of direction, separators of lines, halves of characters)
 * as `\uXXXX`, as JSON does. So a stored document, a server's answer or a file's name can't speak to the terminal; and JSON
 * stays the same JSON.
 */
export function escapeInvisible(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, escapeUnits)
}

/** Every UTF-16 unit as `\uXXXX`. */
export function escapeUnits(text: string): string {
  return Array.from({ length: text.length }, (_, i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`).join(
    '',
  )
}
