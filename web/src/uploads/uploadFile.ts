import { base } from '../base.ts'
import { heldToken } from '../device/guest.ts'

/** What is taken for an image before the server has looked at its bytes: the types that it knows. */
export const imageTypes = ['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif']

/** Why a file could not be uploaded, in words that say what to do. */
export class UploadError extends Error {
  /** Whether the same may work later. */
  readonly canRetry: boolean

  constructor(message: string, canRetry: boolean) {
    super(message)
    this.canRetry = canRetry
  }
}

/**
 * Uploads an image into a document.
 * @param onProgress how much has left this device, from 0 to 1
 * @returns its path below the server, as documents keep it
 * @throws {UploadError} @throws the signal's reason
 */
export function uploadFile(
  documentId: string,
  file: Blob,
  onProgress: (part: number) => void,
  signal: AbortSignal,
): Promise<string> {
  const name = documentId.split('/').map(encodeURIComponent).join('/')
  return new Promise((resolve, reject) => {
    // `fetch` doesn't tell how much has been sent.
    const request = new XMLHttpRequest()
    const abort = () => request.abort()
    const settle = (run: () => void) => {
      signal.removeEventListener('abort', abort)
      run()
    }
    request.open('POST', `${base}api/v1/documents/${name}/uploads`)
    request.setRequestHeader('Content-Type', 'application/octet-stream')
    const token = heldToken(documentId)
    if (token !== '') request.setRequestHeader('Authorization', `Bearer ${token}`)
    request.upload.onprogress = ({ loaded, total }) => onProgress(total === 0 ? 0 : loaded / total)
    request.onload = () => settle(() => answered(request.status, request.responseText, resolve, reject))
    request.onerror = () => settle(() => reject(new UploadError('The server could not be reached.', true)))
    request.onabort = () => settle(() => reject(signal.reason))
    signal.addEventListener('abort', abort)
    if (signal.aborted) settle(() => reject(signal.reason))
    else request.send(file)
  })
}

function answered(status: number, text: string, resolve: (path: string) => void, reject: (error: Error) => void): void {
  if (status !== 200 && status !== 201) {
    reject(refusal(status, text))
    return
  }
  const { path, isImage } = JSON.parse(text) as { path: string; isImage: boolean }
  if (isImage) resolve(path)
  else reject(new UploadError('This is not an image that can be shown: PNG, JPEG, GIF, WebP or AVIF.', false))
}

function refusal(status: number, text: string): UploadError {
  if (status === 401) return new UploadError('The server doesn’t know who you are. Open your link again.', true)
  if (status === 403) return new UploadError('You may not change this document.', true)
  if (status === 410) return new UploadError('The document was deleted.', false)
  if (status === 413) {
    const bytes = Number(/over (\d+) bytes/u.exec(text)?.[1] ?? 0)
    return new UploadError(
      bytes > 0 ? `It is too large: at most ${sizeText(bytes)}.` : 'This document has no room for more images.',
      false,
    )
  }
  if (status === 503) return new UploadError('The server can’t take it now. Try again in a moment.', true)
  return new UploadError(`The server could not take it (${status}).`, true)
}

/** A limit as people say it: rounded down, for more is not let in. */
export function sizeText(bytes: number): string {
  if (bytes < 10_240) return `${bytes.toLocaleString('en')} bytes`
  return bytes < 1 << 20 ? `${Math.floor(bytes / 1024)} kB` : `${Math.floor((bytes / (1 << 20)) * 10) / 10} MB`
}
