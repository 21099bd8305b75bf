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

// PROTOCOL.md, "Files in documents": below the server; no segment that leads elsewhere, however it is written.
const uploadPath =
  /^\/api\/v1\/documents\/(?:(?!(?:\.|%2e){1,2}\/)[\w.!~*'()%@:$&+,;=-]+\/)+uploads\/[0-9a-f]{64}\.[a-z]{3,4}$/i

/** Whether `url` names a file that was put into a document, as the server answers it: its path below the server. */
export const isUpload = (url: unknown): url is string => typeof url === 'string' && uploadPath.test(url)

/**
 * Whether an editor shows the image at `url`: it comes encrypted, or it was put into a document. Others are kept, and not fetched:
 * anybody who writes could otherwise have all readers ask any address, in the clear or with their cookies.
 */
export const isShownImage = (url: unknown): url is string =>
  isUpload(url) || (typeof url === 'string' && schemeOf(url) === 'https')
