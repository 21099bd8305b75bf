// A browser for the tests: the system's Chromium, installed from the system's packages where this user may.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fail } from './prepare.mjs'

const paths = [
  process.env.CHROMIUM_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

const find = () => paths.find(path => path && existsSync(path))

/** The path of a Chromium; installs one where it can, and ends the command with a clear message where it can't. */
export function chromium() {
  const found = find()
  if (found) return found
  const isRoot = process.getuid?.() === 0
  if (isRoot && existsSync('/usr/bin/apt-get')) {
    process.stderr.write('Installing Chromium …\n')
    const options = {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    }
    spawnSync('apt-get', ['update', '-qq'], options)
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium'], options)
    const installed = find()
    if (installed) return installed
  }
  return fail(
    'the browser tests need Chromium: install it (Debian, Ubuntu: `sudo apt-get install chromium`) or name one with CHROMIUM_PATH',
  )
}
