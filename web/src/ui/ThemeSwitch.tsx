import { chooseTheme, type Theme, theme } from '../theme.ts'
import { Icon, type IconName } from './Icon.tsx'

const choices: readonly { value: Theme; icon: IconName; label: string }[] = [
  { value: 'system', icon: 'monitor', label: 'As the system' },
  { value: 'light', icon: 'sun', label: 'Light' },
  { value: 'dark', icon: 'moon', label: 'Dark' },
]

/** Light, dark, or as the system has it. */
export function ThemeSwitch() {
  return (
    <fieldset class="switch">
      <legend class="hidden">Appearance</legend>
      {choices.map(({ value, icon, label }) => (
        <label key={value} data-tip={label}>
          <input
            type="radio"
            name="theme"
            aria-label={label}
            checked={theme.value === value}
            onChange={() => chooseTheme(value)}
          />
          <Icon name={icon} size={16} />
        </label>
      ))}
    </fieldset>
  )
}
