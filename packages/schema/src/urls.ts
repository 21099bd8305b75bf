const linkSchemes = new Set(['http', 'https', 'mailto', 'tel'])
const imageSchemes = new Set(['http', 'https'])

/** The scheme that a browser would find in `url`, lower case; null for a relative address. */
const schemeOf = (url: string): string | null => {
  // Browsers drop leading controls and blanks, and tabs and line ends anywhere (URL standard, "basic URL parser"),
  // so `java\nscript:` is a scheme. Dropping every control and blank finds at least what they find.
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url.replace(/[\p{Cc}\p{Cf}\s]/gu, ''))
  return scheme?.[1]?.toLowerCase() ?? null
}

const isSafe = (url: unknown, schemes: ReadonlySet<string>): url is string => {
  if (typeof url !== 'string' || url === '') return false
  const scheme = schemeOf(url)
  return scheme === null || schemes.has(scheme)
}

/** Whether `url` may be the target of a link: `http`, `https`, `mailto`, `tel` or relative. */
export const isSafeLink = (url: unknown): url is string => isSafe(url, linkSchemes)

/** Whether `url` may be the source of an image: `http`, `https` or relative. */
export const isSafeImage = (url: unknown): url is string => isSafe(url, imageSchemes)
