import { effect, signal } from '@preact/signals'
import { readStored, writeStored } from './device/storage.ts'

export type Theme = 'system' | 'light' | 'dark'

const KEY = 'weft.theme'

function readTheme(): Theme {
  const stored = readStored(KEY)
  return stored === 'light' || stored === 'dark' ? stored : 'system'
}

/** What the person chose on this device. `themeOnLoad.js` applies it before the first paint, this afterwards. */
export const theme = signal<Theme>(readTheme())

/** Follows the choice, the system and the other tabs. Called once. */
export function startTheme(): void {
  const systemDark = matchMedia('(prefers-color-scheme: dark)')
  const isSystemDark = signal(systemDark.matches)
  systemDark.addEventListener('change', event => {
    isSystemDark.value = event.matches
  })
  window.addEventListener('storage', event => {
    if (event.key === KEY) theme.value = readTheme()
  })
  effect(() => {
    const isDark = theme.value === 'dark' || (theme.value === 'system' && isSystemDark.value)
    document.documentElement.classList.toggle('dark', isDark)
    document.documentElement.classList.toggle('light', !isDark)
  })
}

export function chooseTheme(choice: Theme): void {
  theme.value = choice
  writeStored(KEY, choice === 'system' ? null : choice)
}
