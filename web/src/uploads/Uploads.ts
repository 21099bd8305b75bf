import { type ReadonlySignal, signal } from '@preact/signals'
import { imageTypes, UploadError, uploadFile } from './uploadFile.ts'

/** One image on its way into the text. */
export interface ShownUpload {
  readonly id: number
  readonly name: string
  /**
   * - `waiting`: others go first; `sending`: `part` (0 to 1) has left this device;
   * - `failed`: why, and whether trying again can help. The file is kept until then, or until it is dismissed.
   */
  readonly state: { is: 'waiting' } | { is: 'sending'; part: number } | { is: 'failed'; why: string; canRetry: boolean }
}

/** Where in the text an image is to stand, however it changes meanwhile. */
export interface ImagePlace {
  /** Puts an image there; the next one of the same place comes after it. @returns false: nothing can be put there any more */
  put(src: string, alt: string): boolean
}

interface Queued {
  readonly id: number
  readonly file: File
  readonly place: ImagePlace
  readonly abort: AbortController
}

/** Images that this person puts into a document: one after the other, in their order. */
export class Uploads {
  readonly #documentId: string
  readonly #isOnline: () => boolean
  readonly #shown = signal<readonly ShownUpload[]>([])
  readonly #queued = new Map<number, Queued>()
  #nextId = 1
  #isBusy = false

  /** @param isOnline whether the server is reached, as far as the document's connection knows */
  constructor(documentId: string, isOnline: () => boolean) {
    this.#documentId = documentId
    this.#isOnline = isOnline
  }

  get shown(): ReadonlySignal<readonly ShownUpload[]> {
    return this.#shown
  }

  add(files: Iterable<File>, place: ImagePlace): void {
    for (const file of files) {
      const id = this.#nextId++
      this.#queued.set(id, { id, file, place, abort: new AbortController() })
      const name = file.name === '' ? 'Image' : file.name
      this.#shown.value = [...this.#shown.value, { id, name, state: { is: 'waiting' } }]
      if (!imageTypes.includes(file.type)) this.#fail(id, unknownType(file), false)
    }
    void this.#work()
  }

  retry(id: number): void {
    this.#set(id, { is: 'waiting' })
    void this.#work()
  }

  /** Stops an upload, or takes a failed one away. */
  dismiss(id: number): void {
    this.#queued.get(id)?.abort.abort(new DOMException('dismissed', 'AbortError'))
    this.#queued.delete(id)
    this.#shown.value = this.#shown.value.filter(upload => upload.id !== id)
  }

  stop(): void {
    for (const id of [...this.#queued.keys()]) this.dismiss(id)
  }

  async #work(): Promise<void> {
    if (this.#isBusy) return
    this.#isBusy = true
    try {
      for (let next = this.#next(); next !== undefined; next = this.#next()) await this.#upload(next)
    } finally {
      this.#isBusy = false
    }
  }

  #next(): Queued | undefined {
    const id = this.#shown.value.find(({ state }) => state.is === 'waiting')?.id
    return id === undefined ? undefined : this.#queued.get(id)
  }

  async #upload({ id, file, place, abort }: Queued): Promise<void> {
    if (!navigator.onLine || !this.#isOnline()) {
      this.#fail(id, 'You are offline. An image can be put in when you are online again.', true)
      return
    }
    this.#set(id, { is: 'sending', part: 0 })
    try {
      const send = (part: number) => this.#set(id, { is: 'sending', part })
      const src = await uploadFile(this.#documentId, file, send, abort.signal)
      if (place.put(src, altOf(file))) this.dismiss(id)
      else this.#fail(id, 'You may not change this document now.', true)
    } catch (error) {
      if (abort.signal.aborted) return
      if (!(error instanceof UploadError)) console.error(error)
      const known = error instanceof UploadError ? error : new UploadError('Something went wrong.', true)
      this.#fail(id, known.message, known.canRetry)
    }
  }

  #fail(id: number, why: string, canRetry: boolean): void {
    this.#set(id, { is: 'failed', why, canRetry })
  }

  #set(id: number, state: ShownUpload['state']): void {
    this.#shown.value = this.#shown.value.map(upload => (upload.id === id ? { ...upload, state } : upload))
  }
}

function unknownType({ type, name }: File): string {
  if (type === 'image/svg+xml') return 'SVG drawings can’t be put into the text, for they may hold programs.'
  if (type.startsWith('image/')) return 'Images are PNG, JPEG, GIF, WebP or AVIF here.'
  return `Only images can be put into the text${name === '' ? '' : ', and this is none'}.`
}

/** What a picture is called where its file has a name that says something. */
function altOf({ name }: File): string {
  const stem = name.replace(/\.[^.]*$/u, '')
  return /^(?:image|img[_-]?\d+|screenshot.*|\d+|[0-9a-f-]{16,})?$/iu.test(stem) ? '' : stem
}
