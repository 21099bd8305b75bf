import { onTestFinished } from 'vitest'
import { ServerProcess } from './ServerProcess.ts'
import { makeTemporaryFolder, removeFolder } from './temporaryFolder.ts'

/** A folder that is removed after the test. */
export async function testFolder(): Promise<string> {
  const folder = await makeTemporaryFolder()
  onTestFinished(() => removeFolder(folder))
  return folder
}

/** A running server for one test: a store of its own, killed at the end. A failed test prints what the server said. */
export async function testServer(env: Record<string, string> = {}, folder?: string): Promise<ServerProcess> {
  const server = await ServerProcess.start({ folder: folder ?? (await testFolder()), env })
  onTestFinished(async ({ task }) => {
    await server.kill()
    if (task.result?.state === 'fail') process.stderr.write(`the server said:\n${server.output}\n`)
  })
  return server
}

/** Settings with which a few edits are enough for a compaction. */
export const eagerCompaction = { WEFT_TAIL_ENTRIES: '10', WEFT_TAIL_BYTES: '1024' }
