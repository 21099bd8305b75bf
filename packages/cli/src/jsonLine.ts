import { escapeInvisible } from './escapeInvisible.ts'

/** A value as a line of JSON that a terminal shows and doesn't obey: what JSON leaves as it is may move a caret, too. */
export function jsonLine(value: unknown): string {
  return escapeInvisible(JSON.stringify(value))
}
