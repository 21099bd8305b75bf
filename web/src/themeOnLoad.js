// Runs before the first paint (vite.config.ts): the page is never shown in the wrong theme. `theme.ts` has the rest.
;(() => {
  let choice = null
  try {
    choice = localStorage.getItem('weft.theme')
  } catch {
    // Storage can be forbidden; the system's choice then stands.
  }
  const isDark = choice === 'dark' || (choice !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.classList.add(isDark ? 'dark' : 'light')
})()
