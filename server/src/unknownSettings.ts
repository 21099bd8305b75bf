import { settings } from './config.ts'
import type { Setting } from './Setting.ts'

/** What others of Weft's programs read; what Kubernetes says of a service called `weft`; what tests say to each other. */
const OTHERS = /^WEFT_(?:URL|TOKEN|EXAMPLES_PORT|SERVICE_.*|PORT_\d.*|TEST_.*)$/u

/**
 * What is wrong with names in the environment that begin as Weft's and are none: most likely misspelt, and of no effect.
 * @returns a sentence for each, without its value
 */
export function unknownSettings(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = Object.values<Setting>(settings).flatMap(setting =>
    setting.type === 'secret' ? [setting.env, `${setting.env}_FILE`] : [setting.env],
  )
  return Object.keys(env)
    .filter(name => name.startsWith('WEFT_') && !known.includes(name) && !OTHERS.test(name))
    .map(name => `${name} is no setting of Weft, and has no effect: ${hint(name, known)}`)
}

function hint(name: string, known: readonly string[]): string {
  const [nearest = ''] = [...known].sort((a, b) => editDistance(name, a) - editDistance(name, b))
  // Half of what stands behind the common beginning is another word.
  const isAlike = editDistance(name, nearest) * 2 <= nearest.length - 'WEFT_'.length
  return isAlike ? `is ${nearest} meant?` : '--help lists them all'
}

/** Letters to insert, delete or replace, that make one word of another (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
