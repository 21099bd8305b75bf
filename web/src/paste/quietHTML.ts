/** Where the style of an element is kept while it is text, so that no browser applies it. */
export const styleAttribute = 'data-weft-style'

/**
 * HTML without what a browser reports to the content security policy as soon as it parses it, inert or not: style sheets are
 * left out, handlers, too, and an element's style stands in `styleAttribute`. It makes nothing safe: that is DOMPurify's task,
 * afterwards, whatever was mistaken here.
 */
export function quietHTML(html: string): string {
  let quiet = ''
  let from = 0
  // One way through, without steps back: a stranger's text must not make it take long.
  for (let at = html.indexOf('<'); at >= 0; at = html.indexOf('<', from)) {
    const name = /[a-z][^\s/>]*/iy
    name.lastIndex = at + 1
    const tag = name.exec(html)?.[0].toLowerCase()
    if (tag === undefined) {
      quiet += html.slice(from, at + 1)
      from = at + 1
      continue
    }
    quiet += html.slice(from, at)
    const end = endOfTag(html, at + 1 + tag.length)
    if (end < 0) {
      // The rest is a tag that doesn't end: no browser makes anything of it.
      from = html.length
      break
    }
    if (tag === 'style') {
      const close = /<\/style[\s/>]/giu
      close.lastIndex = end
      from = close.exec(html) === null ? html.length : endOfTag(html, close.lastIndex - 1)
      if (from < 0) from = html.length
      continue
    }
    quiet += quietTag(html.slice(at, end))
    from = end
  }
  return quiet + html.slice(from)
}

/** Index after the `>` of a tag, quotes heeded; -1: it has none. */
function endOfTag(html: string, from: number): number {
  let quote = ''
  for (let at = from; at < html.length; at++) {
    const character = html[at]
    if (quote !== '') quote = character === quote ? '' : quote
    else if (character === '"' || character === "'") quote = character
    else if (character === '>') return at + 1
  }
  return -1
}

function quietTag(tag: string): string {
  return tag.replace(/("[^"]*"|'[^']*')|(?<=[\s/"'])(style|on\w+)(?=\s*=)/giu, (found, quoted) => {
    if (quoted !== undefined) return found
    return /^style$/iu.test(found) ? styleAttribute : 'data-weft-off'
  })
}

/** Gives elements the styles that `quietHTML` kept. By script, which the policy allows. */
export function applyStyles(root: ParentNode): void {
  for (const element of root.querySelectorAll<HTMLElement>(`[${styleAttribute}]`)) {
    element.style.cssText = element.getAttribute(styleAttribute) ?? ''
    element.removeAttribute(styleAttribute)
  }
}
