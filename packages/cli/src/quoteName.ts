import { UsageError } from './errors.ts'

/** A name as a person can read and type it: a JSON string where it holds anything that is not plainly visible. */
export function quoteName(name: string): string {
  const isNormal = name.normalize('NFC') === name
  if (isNormal && /^[\p{L}\p{M}\p{N}\p{P}\p{S}]+$/u.test(name) && !/["\\]/.test(name)) return name
  // What JSON leaves as it is and a terminal doesn't show: marks of direction, separators, characters put together of several.
  return JSON.stringify(name).replace(isNormal ? /[\p{C}\p{Zl}\p{Zp}]/gu : /[^ -~]/gu, escapeUnits)
}

/**
 * Reads a name that may be quoted.
 * @param source the option that it comes from
 * @throws {UsageError}
 */
export function unquoteName(text: string, source: string): string {
  if (!text.startsWith('"')) return text
  try {
    return String(JSON.parse(text))
  } catch {
    throw new UsageError(`${source} is '${text}': what begins with " must be a JSON string`)
  }
}

function escapeUnits(text: string): string {
  return Array.from({ length: text.length }, (_, i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`).join(
    '',
  )
}
