import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ScriptedServer } from '../test/ScriptedServer.ts'

// The built package, as programs and pages get it.
const packageRoot = fileURLToPath(new URL('..', import.meta.url))

/** Agreed for the page. Without Yjs, and what that brings (lib0): a page with an editor has it anyway. */
const MAX_GZIP_BYTES = 15_000

describe('@weft/client, built', () => {
  it('lets a program end by itself after close', async () => {
    const server = await ScriptedServer.start()
    const program = `
      import { connect } from '@weft/client'
      const doc = await connect('${server.url()}')
      doc.ydoc.getText('t').insert(0, 'hello')
      await doc.close()
      console.log('closed')
    `
    const node = promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], { cwd: packageRoot })
    const { stdout, stderr } = await node
    expect({ stdout, stderr }).toEqual({ stdout: 'closed\n', stderr: '' })
    expect(server.text).toBe('hello')
    await server.stop()
  })

  it('ends a program whose document is refused', async () => {
    const server = await ScriptedServer.start()
    server.manners.answers = false
    const program = `
      import { connect } from '@weft/client'
      await connect('${server.url()}').catch(error => console.log(error.name, error.code))
    `
    const node = promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], { cwd: packageRoot })
    const connection = await server.connection(0)
    connection.close(4404, 'bad-name: the URL names no document')
    const { stdout } = await node
    expect(stdout).toBe('RefusedError 4404\n')
    await server.stop()
  })

  it(`fits a page: it adds at most ${MAX_GZIP_BYTES} bytes of gzip to one that has Yjs, and nothing of Node's`, async () => {
    // Such a page fetches some of its code later, as any: what that takes is not the client's.
    const page = "export * from 'yjs'\nexport const later = () => import('./later.js')"
    const yjs = await bundle('yjs', page)
    const both = await bundle('both', `${page}\nexport * from '../dist/index.js'`)
    const code = both.first.toString()
    const size = gzipSync(both.first).length - gzipSync(yjs.first).length
    const later = gzipSync(both.later).length - gzipSync(yjs.later).length
    console.info(`@weft/client for a page that has Yjs: ${size} bytes of gzip, and ${later} when an edit is too large`)
    expect(code).toContain('WebSocket')
    expect(code).not.toMatch(/handshakeTimeout|node:|prosemirror/)
    expect(size).toBeGreaterThan(1_000)
    expect(size).toBeLessThanOrEqual(MAX_GZIP_BYTES)
  })
})

/** A module as a page's build has it, minified: with all that it needs at `first`, and what it fetches only when it is needed. */
async function bundle(name: string, module: string): Promise<{ first: Buffer; later: Buffer }> {
  // A file of its own, beside the package's: that is where it looks for what it needs.
  const folder = await mkdtemp(join(packageRoot, 'test/bundle-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const input = join(folder, `${name}.js`)
  await writeFile(input, module.replace('../dist', '../../dist'))
  await writeFile(join(folder, 'later.js'), 'export const later = true')
  const result = await build({
    root: packageRoot,
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      rollupOptions: { input, preserveEntrySignatures: 'strict', output: { format: 'es' } },
    },
  })
  const bundles = Array.isArray(result) ? result : [result]
  const files = bundles.flatMap(made => ('output' in made ? made.output : []))
  const chunks = files.flatMap(file => (file.type === 'chunk' ? [file] : []))
  const byName = new Map(chunks.map(chunk => [chunk.fileName, chunk]))
  const first = new Set<string>()
  const take = (fileName: string) => {
    if (first.has(fileName)) return
    first.add(fileName)
    for (const imported of byName.get(fileName)?.imports ?? []) take(imported)
  }
  for (const { fileName, isEntry } of chunks) if (isEntry) take(fileName)
  const codeOf = (some: typeof chunks) => Buffer.from(some.map(({ code }) => code).join(''))
  return {
    first: codeOf(chunks.filter(({ fileName }) => first.has(fileName))),
    later: codeOf(chunks.filter(({ fileName }) => !first.has(fileName))),
  }
}
