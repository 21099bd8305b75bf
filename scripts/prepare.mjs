// What every command does first, with nothing but Node: install what is missing, build what is stale.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
/** What the commands keep between runs. */
export const cache = join(root, 'node_modules', '.cache', 'weft')

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  fail(`Weft needs Node.js 20.19 or newer, this is ${process.versions.node}`)
}

/** Ends the command with one plain line. */
export function fail(message) {
  process.stderr.write(`weft: ${message}\n`)
  process.exit(1)
}

/** Runs a program in the project's folder; ends the command with its exit code where it fails. */
export function run(program, args, options = {}) {
  const { status, error } = spawnSync(program, args, { cwd: root, stdio: 'inherit', ...options })
  if (error) fail(`${program} could not be started: ${error.message}`)
  if (status !== 0) process.exit(status ?? 1)
}

/** Runs a program and shows what it printed only where it fails. */
function runQuietly(what, program, args) {
  process.stderr.write(`${what} …\n`)
  const { status, error, stdout, stderr } = spawnSync(program, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
  if (!error && status === 0) return
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`)
  fail(`${what}: ${error ? error.message : `${program} ended with code ${status}`}`)
}

/** The path of a program that a package brings. */
export function bin(name) {
  return join(root, 'node_modules', '.bin', name)
}

/** Installs the packages of the lock file where they are missing or older than it. */
export function install() {
  const installed = join(root, 'node_modules', '.package-lock.json')
  const lock = join(root, 'package-lock.json')
  const stamp = join(cache, 'installed')
  const wanted = readFileSync(lock, 'utf8')
  if (existsSync(installed) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
    runQuietly('Installing packages', 'npm', ['ci', '--no-fund', '--no-audit'])
  }
  mkdirSync(cache, { recursive: true })
  writeFileSync(stamp, wanted)
}

function* filesBelow(path) {
  if (!existsSync(path)) return
  const entries = statSync(path).isDirectory() ? readdirSync(path, { withFileTypes: true }) : null
  if (entries === null) {
    yield path
    return
  }
  for (const entry of entries) {
    if (['dist', 'bundle', 'node_modules'].includes(entry.name)) continue
    yield* filesBelow(join(path, entry.name))
  }
}

/** Changes when a source does: path, size and time of each. */
function fingerprint(paths) {
  const lines = []
  for (const path of paths) {
    for (const file of filesBelow(join(root, path))) {
      if (/\.test\.tsx?$/.test(file)) continue
      const { mtimeMs, size } = statSync(file)
      lines.push(`${file} ${size} ${mtimeMs}`)
    }
  }
  return lines.sort().join('\n')
}

const common = ['tsconfig.json', 'package-lock.json', 'packages']
const steps = [
  {
    what: 'Building the server and the packages',
    name: 'server',
    sources: [...common, 'server'],
    output: 'server/dist/main.js',
    command: [bin('tsc'), ['-b', 'server', 'packages/client', 'packages/cli']],
  },
  {
    what: 'Bundling the server and the command',
    name: 'bundle',
    sources: [...common, 'server', 'scripts/bundle.mjs'],
    output: 'packages/cli/bundle/main.js',
    command: [process.execPath, [join(root, 'scripts', 'bundle.mjs')]],
  },
  {
    what: 'Building the web app',
    name: 'web',
    sources: [...common, 'web'],
    output: 'web/dist/index.html',
    command: ['npm', ['run', 'build', '--silent', '-w', 'web']],
  },
]

/** Builds what is stale. */
export function build() {
  mkdirSync(cache, { recursive: true })
  for (const { what, name, sources, output, command } of steps) {
    const stamp = join(cache, `built-${name}`)
    const now = fingerprint(sources)
    const isFresh = existsSync(join(root, output)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === now
    if (isFresh) continue
    rmSync(stamp, { force: true })
    runQuietly(what, ...command)
    writeFileSync(stamp, now)
  }
}
