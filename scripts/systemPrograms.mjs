// Programs that the tests need and npm doesn't bring: browsers, and the proxies that Weft runs behind. What the machine lacks
// is taken from Debian's packages (Ubuntu's too) where this user may.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { cache, fail } from './prepare.mjs'

/**
 * Names of a program, the package that has it and the variable that names another one. A service is unpacked into the cache
 * and not installed: an installed one would start at once, and with the machine, on port 80. That takes no root, either.
 */
const programs = [
  {
    names: ['chromium', 'chromium-browser', 'google-chrome'],
    elsewhere: '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    package: 'chromium',
    variable: 'CHROMIUM_PATH',
  },
  {
    names: ['firefox-esr', 'firefox'],
    elsewhere: '/Applications/Firefox.app/Contents/MacOS/firefox',
    package: 'firefox-esr',
    variable: 'FIREFOX_PATH',
  },
  { names: ['nginx'], package: 'nginx', variable: 'NGINX_PATH', isService: true },
  { names: ['caddy'], package: 'caddy', variable: 'CADDY_PATH', isService: true },
  { names: ['haproxy'], package: 'haproxy', variable: 'HAPROXY_PATH', isService: true },
]

const unpacked = join(cache, 'system')
const folders = [
  ...(process.env.PATH ?? '').split(':'),
  '/usr/bin',
  '/usr/sbin',
  '/opt/homebrew/bin',
  ...['usr/bin', 'usr/sbin'].map(folder => join(unpacked, folder)),
]

function find({ names, elsewhere, variable }) {
  const wanted = process.env[variable]
  if (wanted) return existsSync(wanted) ? wanted : fail(`${variable} names ${wanted}, which is not there`)
  const paths = folders.flatMap(folder => names.map(name => join(folder, name)))
  return [...paths, elsewhere].find(path => path && existsSync(path))
}

const apt = (...args) =>
  spawnSync('apt-get', args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
const INSTALL = ['install', '-y', '-qq', '--no-install-recommends']

/** Downloads packages, and what they need and the machine lacks, and unpacks them into the cache: all or nothing. */
function unpack(packages) {
  const folder = `${unpacked}.part`
  const archives = join(folder, 'archives')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(join(archives, 'partial'), { recursive: true })
  const options = ['--download-only', '-o', `Dir::Cache::archives=${archives}`, '-o', 'Debug::NoLocking=1']
  apt(...INSTALL, ...options, ...packages)
  for (const name of readdirSync(archives)) {
    if (name.endsWith('.deb')) spawnSync('dpkg', ['-x', join(archives, name), folder], { stdio: 'inherit' })
  }
  rmSync(archives, { recursive: true })
  renameSync(folder, unpacked)
}

/**
 * Finds them all, after getting those that are missing where it can; ends the command with a clear message where it can't.
 * @returns variables for the tests: where each is, and the folders with libraries of the unpacked ones (`SERVICE_LIBRARIES`)
 */
export function systemPrograms() {
  // One of them lacks: they are unpacked anew, together.
  if (programs.some(program => program.isService && !find(program))) rmSync(unpacked, { recursive: true, force: true })
  const missing = programs.filter(program => !find(program))
  if (missing.length > 0 && existsSync('/usr/bin/apt-get')) {
    process.stderr.write(`Getting ${missing.map(program => program.package).join(', ')} …\n`)
    const isRoot = process.getuid?.() === 0
    if (isRoot) apt('update', '-qq')
    const [services, others] = [true, false].map(isService =>
      missing.filter(program => (program.isService ?? false) === isService).map(program => program.package),
    )
    if (others.length > 0 && isRoot) apt(...INSTALL, ...others)
    if (services.length > 0) unpack(services)
  }
  const lacking = programs.filter(program => !find(program))
  if (lacking.length > 0) {
    const names = lacking.map(program => program.package).join(' ')
    fail(
      `the tests need ${names}: install them (Debian, Ubuntu: \`sudo apt-get install ${names}\`), or name them with ` +
        lacking.map(program => program.variable).join(', '),
    )
  }
  const libraries = join(unpacked, 'usr', 'lib')
  const named = existsSync(libraries) ? readdirSync(libraries).filter(name => name.endsWith('-linux-gnu')) : []
  return {
    ...Object.fromEntries(programs.map(program => [program.variable, find(program)])),
    SERVICE_LIBRARIES: named.map(name => join(libraries, name)).join(':'),
  }
}
