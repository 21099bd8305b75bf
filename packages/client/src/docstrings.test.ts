import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text as textOfStream } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { ServerProcess } from '../../../test/support/ServerProcess.ts'
import { sharedServer } from '../../../test/support/testServer.ts'

/** Where this package's public functions and methods are. */
const files = [
  'connect',
  'createClient',
  'WeftDocument',
  'text',
  'fragmentOf',
  'changes',
  'levelStore',
  'indexedDbStore',
]
const packageRoot = fileURLToPath(new URL('..', import.meta.url))
/** Those that only a browser can run: `indexedDbStore.test.ts` does. */
const inBrowsers = ['indexedDbStore']
const TEXT_HELPER = /^(?:fragmentOf|textOf|to|append|insert|replace|edit|changes)/
/** Ends what one example prints. */
const END = '── end ──'
const internals = ['settingsOf', 'opened', 'constructor']

/** A function, and a program that shows what it does. */
interface Shown {
  readonly name: string
  readonly example: string
}

interface Documented {
  readonly name: string
  readonly isInternal: boolean
  readonly example: string | null
}

/** The public functions, and methods of classes, of a module, with what their docstrings show. */
async function documented(file: string): Promise<Documented[]> {
  const source = await readFile(join(packageRoot, 'src', `${file}.ts`), 'utf8').catch(() => '')
  const found: Documented[] = []
  const pattern =
    /(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)?(?:export (?:async )?function (\w+)|^ {2}(?:async )?(?!get |set |readonly |static |if|for|while|switch|return|#|\/)(\w+)(?:<[^(]*>)?\([^\n]*(?:\{|\()$)/gm
  for (const [, docstring = '', functionName, method] of source.matchAll(pattern)) {
    const name = functionName ?? method ?? ''
    if (method !== undefined && !/^export class/m.test(source)) continue
    const [, code] = /@example\n[ *]*```js\n([\s\S]*?)\n[ *]*```/.exec(docstring) ?? []
    found.push({
      name,
      isInternal: docstring.includes('@internal') || internals.includes(name),
      example: code?.replace(/^ *\* ?/gm, '') ?? null,
    })
  }
  return found
}

const all = (await Promise.all(files.map(documented))).flat().filter(({ isInternal }) => !isInternal)
const running = sharedServer()

/** What an example prints, by its comments: `// → 1`. */
function expectedOutput(example: string): string {
  return [...example.matchAll(/\/\/ → (.*)$/gm)].map(([, line]) => `${line}\n`).join('')
}

/** An example as a module, with a document of its own: `doc` and `weft` are there unless it makes its own. */
function moduleOf({ name, example }: Shown, index: number, server: ServerProcess, folder: string): string {
  const given = (variable: string, value: string) =>
    new RegExp(`const ${variable} =`).test(example) || !new RegExp(`\\b${variable}\\b`).test(example)
      ? ''
      : `const ${variable} = ${value}\n`
  const helpers = all.map(entry => entry.name).filter(entry => TEXT_HELPER.test(entry))
  return `
    import { connect, createClient } from '@weft/client'
    import { ${helpers.join(', ')} } from '@weft/client/text'
    import { levelStore } from '@weft/client/leveldb'
    const server = '${server.socketUrl}'
    const url = server + '/${name}-${index}'
    const folder = ${JSON.stringify(join(folder, 'store'))}
    ${given('weft', 'createClient(server)')}${given('doc', 'await connect(url)')}
    ${example}
  `
}

/** Runs examples as a program, one after the other. @returns what each has printed */
async function run(server: ServerProcess, examples: readonly Shown[]): Promise<string[]> {
  // Within the package: that is where a program looks for what it needs.
  const folder = await mkdtemp(join(packageRoot, 'test', 'examples-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  for (const [index, shown] of examples.entries()) {
    await writeFile(join(folder, `${index}.mjs`), moduleOf(shown, index, server, folder))
  }
  const program = examples.map((_, index) => `await import('./${index}.mjs'); console.log('${END}')`).join('\n')
  await writeFile(join(folder, 'all.mjs'), `${program}\nprocess.exit()`)
  const child = spawn(process.execPath, [join(folder, 'all.mjs')], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [output, errors] = await Promise.all([textOfStream(child.stdout), textOfStream(child.stderr)])
  expect(errors).toBe('')
  return output.split(`${END}\n`).slice(0, -1)
}

describe('each public function of @weft/client', () => {
  it('has an example', () => {
    expect(all.length).toBeGreaterThan(20)
    expect(all.filter(({ example }) => example === null).map(({ name }) => name)).toEqual([])
  })

  it('does what its example shows', async () => {
    const shown = all.flatMap(({ name, example }) =>
      example === null || inBrowsers.includes(name) ? [] : [{ name, example }],
    )
    const outputs = await run(running(), shown)
    const printed = shown.map(({ name }, index) => [name, outputs[index]])
    expect(printed).toEqual(shown.map(({ name, example }) => [name, expectedOutput(example)]))
  })
})
