import { CommandError } from '../errors.ts'

/** Largest file that is taken in, in bytes: as much as the HTTP API takes. */
export const MAX_FILE_BYTES = 4 * 2 ** 20

/** A file whose content is no Markdown text; `message` says why, without its name. */
export class BadFileError extends CommandError {}

/** How a file's text is put into bytes: kept as the file had it. */
export interface FileFormat {
  readonly hasBom: boolean
  readonly lineEnd: '\n' | '\r\n'
  readonly endsWithLineEnd: boolean
}

export interface FileText {
  /** Lines end with `\n`, the last one too; '' where there is none. */
  readonly text: string
  readonly format: FileFormat
}

/** Of a file that is made here. */
export const newFormat: FileFormat = { hasBom: false, lineEnd: '\n', endsWithLineEnd: true }

const BOM = '\ufeff'

/** @throws {BadFileError} it is too large, or not UTF-8 */
export function decodeFile(bytes: Uint8Array): FileText {
  if (bytes.length > MAX_FILE_BYTES) {
    throw new BadFileError(`it has ${bytes.length} bytes, over ${MAX_FILE_BYTES}; it is left as it is`)
  }
  let whole: string
  try {
    whole = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new BadFileError('it is not UTF-8; it is left as it is')
  }
  if (whole.includes('\0')) throw new BadFileError('it has NUL characters and is no text; it is left as it is')
  const hasBom = whole.startsWith(BOM)
  const text = hasBom ? whole.slice(1) : whole
  const windowsCount = text.split('\r\n').length - 1
  const isWindows = windowsCount > 0 && windowsCount * 2 >= text.split('\n').length - 1
  const lines = text.replaceAll('\r\n', '\n')
  return {
    text: lines === '' || lines.endsWith('\n') ? lines : `${lines}\n`,
    format: { hasBom, lineEnd: isWindows ? '\r\n' : '\n', endsWithLineEnd: lines === '' || lines.endsWith('\n') },
  }
}

export function encodeFile({ text, format }: FileText): Uint8Array {
  const ended = format.endsWithLineEnd ? text : text.replace(/\n$/, '')
  const lines = format.lineEnd === '\n' ? ended : ended.replaceAll('\n', '\r\n')
  return new TextEncoder().encode(format.hasBom ? BOM + lines : lines)
}

/** Whether a text may be the beginning of one that is still being written. */
export function isCut(before: string, text: string): boolean {
  if (before.trim() === '') return false
  return text.trim() === '' || (text.length < before.length && before.startsWith(text.replace(/\n$/, '')))
}
