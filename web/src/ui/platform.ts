const isApple = typeof navigator !== 'undefined' && /Mac|iPhone|iPad/.test(navigator.platform)

/** A shortcut as this platform's keyboards write it: `Mod-Shift-x` is ⇧⌘X or Ctrl+Shift+X. */
export function shownShortcut(shortcut: string): string {
  const keys = shortcut.split('-').map(key => {
    if (key === 'Mod') return isApple ? '⌘' : 'Ctrl'
    if (key === 'Shift') return isApple ? '⇧' : 'Shift'
    if (key === 'Alt') return isApple ? '⌥' : 'Alt'
    return key.length === 1 ? key.toUpperCase() : key
  })
  return keys.join(isApple ? '' : '+')
}
