import { maxHTMLBytes, maxHTMLNodes } from '@weft/schema'
import DOMPurify, { type Config } from 'dompurify'
import { quietHTML } from './quietHTML.ts'

/** What DOMPurify is told beside its own rules, which take out scripts, handlers and addresses that run something. */
const options = {
  // Neither drawings nor formulas: the schema has none, and both can hold what HTML can't.
  USE_PROFILES: { html: true },
  // Sheets would apply, and fields could be mistaken for the page's own.
  FORBID_TAGS: ['style', 'form', 'input', 'button', 'select', 'textarea', 'dialog'],
  // Not a name by which scripts could find it in place of something of the page's.
  SANITIZE_NAMED_PROPS: true,
} satisfies Config

/** HTML of a stranger without all that could run, load a program or deceive. What is left is for the schema to read. */
export function cleanHTML(html: string): string {
  // What is pasted comes by several times: the page looks at its size, the browser's policy asks.
  if (html !== cleaned.html && html !== cleaned.clean) {
    cleaned = { html, clean: DOMPurify.sanitize(quietHTML(html), options) }
  }
  return cleaned.clean
}

let cleaned = { html: '', clean: '' }

/** Why HTML is more than is taken in at once, in words; `null`: it isn't. */
export function htmlExcess(html: string): string | null {
  // A text of so many UTF-16 units has no fewer bytes.
  const bytes = html.length > maxHTMLBytes ? html.length : new TextEncoder().encode(html).length
  if (bytes > maxHTMLBytes) return bytesExcess(bytes)
  const nodes = countNodes(new DOMParser().parseFromString(cleanHTML(html), 'text/html').body)
  return nodes > maxHTMLNodes ? nodesExcess(nodes) : null
}

/** As `htmlExcess`, of plain text: each of its lines becomes a paragraph. */
export function textExcess(text: string): string | null {
  const bytes = text.length > maxHTMLBytes ? text.length : new TextEncoder().encode(text).length
  if (bytes > maxHTMLBytes) return bytesExcess(bytes)
  const lines = text.split('\n').length
  return lines > maxHTMLNodes
    ? `it has ${lines.toLocaleString('en')} lines, more than ${maxHTMLNodes.toLocaleString('en')}`
    : null
}

function bytesExcess(bytes: number): string {
  return `it has ${(bytes / (1 << 20)).toFixed(1)} MB, more than ${maxHTMLBytes / (1 << 20)} MB`
}

function nodesExcess(nodes: number): string {
  return `it has ${nodes.toLocaleString('en')} parts, more than ${maxHTMLNodes.toLocaleString('en')}`
}

/** Elements and texts below a node. */
function countNodes(root: Node): number {
  let count = 0
  const walker = root.ownerDocument?.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT)
  while (walker?.nextNode()) count++
  return count
}

/** What is used of the browser's `TrustedTypePolicyFactory` (https://w3c.github.io/trusted-types/dist/spec/). */
interface PolicyFactory {
  readonly defaultPolicy: unknown
  createPolicy(name: 'default', rules: { createHTML(html: string): string }): unknown
}

/**
 * From now on whatever text becomes markup in this page is cleaned first: the server's content security policy demands a policy
 * for it (`require-trusted-types-for`), and TipTap parses HTML from strings. There is no rule for scripts or their addresses:
 * the browser refuses those. Where a browser has no Trusted Types, what is pasted is cleaned all the same (`guardPaste`).
 */
export function startTrustedTypes(): void {
  const factory = (window as { trustedTypes?: PolicyFactory }).trustedTypes
  if (factory === undefined || factory.defaultPolicy) return
  factory.createPolicy('default', { createHTML: cleanHTML })
}
