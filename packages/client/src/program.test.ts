import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'
import { describe, expect, it } from 'vitest'
import { ScriptedServer } from '../test/ScriptedServer.ts'

// The built package, as programs and pages get it.
const packageRoot = fileURLToPath(new URL('..', import.meta.url))

/** Agreed for the page; without Yjs, which a page with an editor has anyway. */
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

  it(`fits a page: at most ${MAX_GZIP_BYTES} bytes of gzip without Yjs, and nothing of Node's`, async () => {
    const result = await build({
      root: packageRoot,
      configFile: false,
      logLevel: 'error',
      build: {
        write: false,
        lib: { entry: 'dist/index.js', formats: ['es'] },
        rollupOptions: { external: ['yjs'] },
      },
    })
    const bundles = Array.isArray(result) ? result : []
    const code = bundles
      .flatMap(bundle => bundle.output)
      .map(file => ('code' in file ? file.code : ''))
      .join('')
    const size = gzipSync(code).length
    console.info(`@weft/client for a page: ${size} bytes of gzip without Yjs`)
    expect(code).toContain('WebSocket')
    expect(code).not.toMatch(/handshakeTimeout|node:|prosemirror/)
    expect(size).toBeGreaterThan(1_000)
    expect(size).toBeLessThanOrEqual(MAX_GZIP_BYTES)
  })
})
