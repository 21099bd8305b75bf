import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { type ServerOptions, ServerProcess } from './ServerProcess.ts'
import { makeTemporaryFolder, removeFolder } from './temporaryFolder.ts'

/** A folder that is removed after the test. */
export async function testFolder(): Promise<string> {
  const folder = await makeTemporaryFolder()
  onTestFinished(() => removeFolder(folder))
  return folder
}

/** A running server for one test: a store of its own, killed at the end. A failed test prints what the server said. */
export async function testServer(
  env: Record<string, string> = {},
  folder?: string,
  options: Partial<ServerOptions> = {},
): Promise<ServerProcess> {
  const server = await ServerProcess.start({ folder: folder ?? (await testFolder()), env, ...options })
  onTestFinished(async ({ task }) => {
    await server.kill()
    if (task.result?.state === 'fail') process.stderr.write(`the server said:\n${server.output}\n`)
  })
  return server
}

/** One running server for all tests of a file, which must not get in each other's way. @returns asks for it, in a test */
export function sharedServer(
  env: Record<string, string> | (() => Promise<Record<string, string>>) = {},
): () => ServerProcess {
  let folder: string | null = null
  let server: ServerProcess | null = null
  beforeAll(async () => {
    folder = await makeTemporaryFolder()
    server = await ServerProcess.start({ folder, env: typeof env === 'function' ? await env() : env })
  })
  afterAll(async () => {
    await server?.kill()
    if (folder !== null) await removeFolder(folder)
  })
  return () => {
    if (server === null) throw new Error('the server does not run outside of tests')
    return server
  }
}

/** Settings with which a few edits are enough for a compaction. */
export const eagerCompaction = { WEFT_TAIL_ENTRIES: '10', WEFT_TAIL_BYTES: '1024' }
