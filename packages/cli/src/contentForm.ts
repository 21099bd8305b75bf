import { extname } from 'node:path'
import { UsageError } from './errors.ts'
import { type ContentForm, contentTypes } from './ServerApi.ts'
import type { Options } from './Verb.ts'

const extensions: Readonly<Record<string, ContentForm>> = {
  '.md': 'markdown',
  '.markdown': 'markdown',
  '.html': 'html',
  '.htm': 'html',
  '.json': 'json',
  '.yjs': 'yjs',
}

/** What an exported file's name ends with. */
export const extensionOf: Readonly<Record<ContentForm, string>> = {
  markdown: '.md',
  html: '.html',
  json: '.json',
  yjs: '.yjs',
}

export const formatOption = {
  format: { type: 'string', value: 'FORM', help: 'markdown, html, json or yjs (a Yjs update)' },
} as const satisfies Options

/** `--format`. @throws {UsageError} */
export function readForm(format: string): ContentForm {
  if (Object.hasOwn(contentTypes, format)) return format as ContentForm
  throw new UsageError(`--format is '${format}': it is one of ${Object.keys(contentTypes).join(', ')}`)
}

/** The form that a file's name tells; null: none. */
export function formOfFile(file: string): ContentForm | null {
  const extension = extname(file).toLowerCase()
  return Object.hasOwn(extensions, extension) ? (extensions[extension] ?? null) : null
}
