import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'vite'
import type * as simulation from './world/index.ts'

export type Simulation = typeof simulation

/** A text of a file of the server's, and what stands in its place in a build that is broken on purpose. */
export interface Replacement {
  /** Below `server/src`. */
  readonly file: string
  readonly from: string
  readonly to: string
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const server = join(root, 'server', 'src')
const folder = join(root, 'node_modules', '.cache', 'weft', 'simulation')

/**
 * Builds the simulation with the server's modules as one file, which is read faster than its parts, and loads it.
 * @param name of the file @param replacements made in the server's sources; each text must be there, once
 * @throws {Error} where a text isn't there: the server has changed, and the broken build must, too
 */
export async function buildSimulation(name: string, replacements: readonly Replacement[] = []): Promise<Simulation> {
  const missing = new Set(replacements)
  const result = await build({
    root,
    configFile: false,
    logLevel: 'error',
    plugins: [
      {
        name: 'broken-on-purpose',
        enforce: 'pre',
        transform(code, id) {
          let broken = code
          for (const replacement of replacements) {
            if (id !== join(server, replacement.file)) continue
            const parts = broken.split(replacement.from)
            if (parts.length !== 2) {
              throw new Error(`${replacement.file} has "${replacement.from}" ${parts.length - 1} times, and not once`)
            }
            broken = parts.join(replacement.to)
            missing.delete(replacement)
          }
          return broken === code ? null : { code: broken, map: null }
        },
      },
    ],
    build: {
      ssr: join(root, 'test', 'simulation', 'world', 'index.ts'),
      write: false,
      minify: false,
      sourcemap: replacements.length === 0 ? 'inline' : false,
    },
  })
  const [first] = missing
  if (first !== undefined) throw new Error(`${first.file} is not part of the simulation`)
  const [chunk] = Array.isArray(result) || !('output' in result) ? [] : result.output
  if (chunk === undefined) throw new Error('the simulation was not built')
  await mkdir(folder, { recursive: true })
  const file = join(folder, `${name}-${process.pid}.mjs`)
  await writeFile(file, chunk.code)
  return (await import(pathToFileURL(file).href)) as Simulation
}
