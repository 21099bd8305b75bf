import { UsageError } from './errors.ts'

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 60 * 60_000, d: 24 * 60 * 60_000 }

/** A span of time as people write it: `30m`, `12h`, `7d`. @returns ms @throws {UsageError} */
export function readDuration(text: string, option: string): number {
  const [, count = '', unit = ''] = /^([1-9]\d{0,4})([mhd])$/u.exec(text) ?? []
  const unitMs = UNITS[unit]
  if (unitMs === undefined)
    throw new UsageError(`${option} is '${text}': not a number of minutes, hours or days, like 30m, 12h or 7d`)
  return Number(count) * unitMs
}
