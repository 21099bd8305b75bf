/** A setting that ends the start; `message` names the setting, the value (but never a secret's) and what is allowed. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

interface SettingBase {
  /** Environment name; the command-line flag follows from it: `WEFT_LOG_LEVEL` → `--log-level`. */
  readonly env: `WEFT_${string}`
  readonly help: string
}

export interface IntegerSetting extends SettingBase {
  readonly type: 'integer'
  readonly unit: string
  readonly default: number
  readonly min: number
  readonly max: number
}

interface TextSetting extends SettingBase {
  readonly type: 'text'
  /** '': none. */
  readonly default: string
}

interface ChoiceSetting extends SettingBase {
  readonly type: 'choice'
  readonly choices: readonly string[]
  readonly default: string
}

export interface ListSetting extends SettingBase {
  readonly type: 'list'
  readonly default: readonly string[]
  /** What each entry must look like, and how to say so. */
  readonly pattern: { test(entry: string): boolean }
  readonly allowed: string
}

/**
 * Comes from the environment, or from a file that `<env>_FILE` names (a line feed at its end doesn't count), never from a flag,
 * which others on the machine can see. Set and empty is too short, not unset: it would open what should be closed.
 */
export interface SecretSetting extends SettingBase {
  readonly type: 'secret'
  readonly minBytes: number
}

/** Off, unless its flag is given, which has no value, or the environment says `1`. */
export interface SwitchSetting extends SettingBase {
  readonly type: 'switch'
}

export type Setting = IntegerSetting | TextSetting | ChoiceSetting | ListSetting | SecretSetting | SwitchSetting

/** The command-line flag of a setting: `WEFT_LOG_LEVEL` → `--log-level`; null: it has none. */
export function flagOf(setting: Setting): string | null {
  if (setting.type === 'secret') return null
  return `--${setting.env.slice('WEFT_'.length).toLowerCase().replaceAll('_', '-')}`
}
