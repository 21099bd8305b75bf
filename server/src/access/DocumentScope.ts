/** Some documents: one, or all whose names begin so (`''`: all). */
export type DocumentScope = { readonly document: string } | { readonly prefix: string }

/** The order in which documents are listed: that of their names' UTF-8 bytes, which JavaScript's own isn't. */
export function compareNames(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'))
}
