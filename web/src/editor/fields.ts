import { signal } from '@preact/signals'

/** Whether the field for an image's address is open, at the caret. */
export const imageField = signal(false)

/** Whether the field for a link's address is open, at the selection. */
export const linkField = signal(false)

/** An address that a person typed, as it is stored: `example.org` means `https://example.org`, `a@b.c` a mail address. */
export function typedAddress(input: string): string {
  const text = input.trim()
  if (text === '' || /^[a-z][a-z0-9+.-]*:/i.test(text) || /^[/#?.]/.test(text)) return text
  if (/^[^\s/@]+@[^\s/@]+\.[^\s/@]+$/.test(text)) return `mailto:${text}`
  return `https://${text}`
}
