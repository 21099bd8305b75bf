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
    const yjs = await bundle('yjs', "export * from 'yjs'")
    const both = await bundle('both', "export * from 'yjs'\nexport * from '../dist/index.js'")
    const code = both.toString()
    const size = gzipSync(both).length - gzipSync(yjs).length
    console.info(`@weft/client for a page that has Yjs: ${size} bytes of gzip`)
    expect(code).toContain('WebSocket')
    expect(code).not.toMatch(/handshakeTimeout|node:|prosemirror/)
    expect(size).toBeGreaterThan(1_000)
    expect(size).toBeLessThanOrEqual(MAX_GZIP_BYTES)
  })
})

/** A module as a page's build has it: with all that it needs, minified. */
async function bundle(name: string, module: string): Promise<Buffer> {
  // A file of its own, beside the package's: that is where it looks for what it needs.
  const folder = await mkdtemp(join(packageRoot, 'test/bundle-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const input = join(folder, `${name}.js`)
  await writeFile(input, module.replace('../dist', '../../dist'))
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
  return Buffer.from(files.map(file => ('code' in file ? file.code : '')).join(''))
}
