// The pages of @weft/client's API, made of its docstrings, in packages/client/api.
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cache, install, root, run } from './prepare.mjs'

const tools = join(cache, 'docs')
const client = join(root, 'packages', 'client')

install()
const wanted = readFileSync(join(root, 'scripts/docs/package-lock.json'), 'utf8')
const installed = join(tools, 'package-lock.json')
if (!existsSync(join(tools, 'node_modules')) || readFileSync(installed, 'utf8') !== wanted) {
  mkdirSync(tools, { recursive: true })
  cpSync(join(root, 'scripts/docs'), tools, { recursive: true })
  run('npm', ['ci', '--no-fund', '--no-audit', '--loglevel', 'error'], { cwd: tools })
}
const entries = ['index', 'text', 'indexeddb', 'leveldb'].flatMap(name => ['--entryPoints', `src/${name}.ts`])
const options = [
  ...['--name', '@weft/client', '--out', 'api', '--readme', 'README.md'],
  ...['--excludeInternal', '--excludePrivate', '--disableSources', '--hideGenerator'],
  // What a docstring names has to be there.
  ...['--treatWarningsAsErrors', '--skipErrorChecking', '--validation.notExported', 'false'],
]
run(join(tools, 'node_modules/.bin/typedoc'), [...entries, ...options], { cwd: client })
