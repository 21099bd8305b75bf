/**
 * Text as it reaches others: Yjs sends it as UTF-8, which has no halves of characters of two UTF-16 units (half an emoji, of a
 * text that was cut at some length), so each becomes U+FFFD. Written as it came, it would differ between replicas.
 * @returns text of the same length
 */
export const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, '\uFFFD')

/** The same for what stands beside text: attributes of elements and marks. */
export const wellFormedAttributes = <T extends Record<string, unknown>>(attributes: T): T =>
  Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name, typeof value === 'string' ? wellFormed(value) : value]),
  ) as T
