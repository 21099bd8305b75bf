import { UsageError } from './errors.ts'
import { escapeInvisible, escapeUnits } from './escapeInvisible.ts'

/** A name as a person can read and type it: a JSON string where it holds anything that is not plainly visible. */
export function quoteName(name: string): string {
  const isNormal = name.normalize('NFC') === name
  if (isNormal && /^[\p{L}\p{M}\p{N}\p{P}\p{S}]+$/u.test(name) && !/["\\]/.test(name)) return name
  const json = JSON.stringify(name)
  // Characters put together of several look like others.
  return isNormal ? escapeInvisible(json) : json.replace(/[^ -~]/gu, escapeUnits)
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
