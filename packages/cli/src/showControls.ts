import { escapeUnits } from './escapeInvisible.ts'

/**
 * A text as people read it, without what a terminal would obey (controls, marks of direction, halves of characters): that is
 * written as `\uXXXX`. Ends of lines and tabs stay, and so does what joins characters, as in 👩‍👧.
 */
export function showControls(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]|[\p{Bidi_Control}\p{Cs}\p{Zl}\p{Zp}]/gu, escapeUnits)
}
