import { settings } from './config.ts'
import { flagOf, type Setting } from './Setting.ts'

/** A row per setting for `--help` and the README: flag, environment name, unit, default, meaning. */
export function describeSettings(): { flag: string | null; env: string; default: string; help: string }[] {
  return Object.values<Setting>(settings).flatMap(setting => {
    const row = { flag: flagOf(setting), env: setting.env, default: describeDefault(setting), help: setting.help }
    if (setting.type !== 'secret') return [row]
    return [row, { ...row, env: `${setting.env}_FILE`, help: `file that holds \`${setting.env}\`` }]
  })
}

function describeDefault(setting: Setting): string {
  switch (setting.type) {
    case 'integer':
      return setting.unit === 'port' ? String(setting.default) : `${groupDigits(setting.default)} ${setting.unit}`
    case 'secret':
      return 'none'
    case 'switch':
      return 'off'
    case 'list':
      return setting.default.length === 0 ? 'none' : setting.default.join(',')
    default:
      return setting.default === '' ? 'none' : setting.default
  }
}

function groupDigits(value: number): string {
  return String(value).replace(/\B(?=(?:\d{3})+$)/gu, ' ')
}

/** The text of `--help`. */
export function helpText(): string {
  const rows = describeSettings()
  const names = rows.map(({ flag, env }) => (flag === null ? env : `${flag}  (${env})`))
  const width = Math.max(...names.map(name => name.length)) + 1
  const lines = rows.map((row, index) => `  ${names[index]?.padEnd(width)}  ${row.help} [${row.default}]`)
  return [
    'Weft: write documents together. Every setting is a flag or an environment variable:',
    '',
    ...lines,
    '',
    '--explain-limits prints every bound with its value, and what they cost in memory.',
    '',
  ].join('\n')
}

/** The README's table of settings, as Markdown. */
export function settingsTable(): string {
  const rows = describeSettings().map(
    row => `| \`${row.env}\` | ${row.flag === null ? '' : `\`${row.flag}\``} | ${row.default} | ${row.help} |`,
  )
  return ['| environment | flag | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n')
}
