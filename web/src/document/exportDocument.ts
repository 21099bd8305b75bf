import type { Editor } from '@tiptap/core'
import { copyText } from '../ui/copyText.ts'
import { toast } from '../ui/toast.tsx'

// What exports is loaded when somebody exports.
const forms = () => import('./exportForms.ts')

async function documentOf(editor: Editor) {
  const { fromJSON } = await forms()
  return fromJSON(editor.getJSON())
}

/** Puts the document into the clipboard, as Markdown. */
export async function copyMarkdown(editor: Editor): Promise<void> {
  const { toMarkdown } = await forms()
  const isCopied = await copyText(toMarkdown(await documentOf(editor)))
  toast(isCopied ? 'Copied as Markdown' : 'This browser doesn’t allow copying. Download the document instead.')
}

export async function downloadMarkdown(editor: Editor, title: string): Promise<void> {
  const { toMarkdown } = await forms()
  download(toMarkdown(await documentOf(editor)), 'text/markdown', `${fileName(title)}.md`)
}

export async function downloadHtml(editor: Editor, title: string): Promise<void> {
  const { toHTML } = await forms()
  const name = title === '' ? 'Untitled' : title
  const escaped = name.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  const body = toHTML(await documentOf(editor))
  const page = `<!doctype html>\n<html>\n<head>\n<meta charset="utf-8">\n<title>${escaped}</title>\n</head>\n<body>\n${body}\n</body>\n</html>\n`
  download(page, 'text/html', `${fileName(title)}.html`)
}

/** A title as the name of a file, on any system. */
export function fileName(title: string): string {
  const name = title
    .replace(/[\p{Cc}\p{Cf}<>:"/\\|?*]+/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/^\.+|[. ]+$/g, '')
  return [...name].slice(0, 80).join('').trim() || 'document'
}

function download(text: string, type: string, name: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  // Safari reads the address after this task.
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
