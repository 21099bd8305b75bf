// Makes one file (or a few) of all the modules that a program loads when it starts: Node takes most of a start to find and read hundreds of
// small ones. What `tsc` built beside it is the same program, for those who import a part of it.
import { join } from 'node:path'
import { rolldown } from 'rolldown'
import { root } from './prepare.mjs'

/** What finds files beside its own: native code, the file of a thread, WebAssembly. */
const external = ['bufferutil', 'leveldown', 'piscina', 'sql.js', 'utf-8-validate']

const programs = [
  { folder: 'server', entries: { main: 'main.ts', tasks: 'worker/tasks.ts', contentTasks: 'worker/contentTasks.ts' } },
  // A file for each verb, and for what some have in common. The server is a program of its own.
  { folder: 'packages/cli', entries: { main: 'main.ts' }, programs: ['@weft/server'] },
]

for (const { folder, entries, programs: others = [] } of programs) {
  const source = join(root, folder, 'src')
  const input = Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, join(source, file)]))
  const bundle = await rolldown({
    input,
    external: [...external, ...others],
    platform: 'node',
    cwd: join(root, folder),
  })
  // Not minified: an error's stack names our functions. Their lines in our sources: `node --enable-source-maps`.
  await bundle.write({
    dir: join(root, folder, 'bundle'),
    format: 'esm',
    sourcemap: true,
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
  })
  await bundle.close()
}
