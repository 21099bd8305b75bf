import { escapeInvisible } from '../escapeInvisible.ts'
import { quoteName } from '../quoteName.ts'
import type { Surroundings } from '../Verb.ts'

/** What happens to a file and its document, by its name in `--json`, with its sign between them. */
const signs = {
  /** What was saved in the file is in the document, and on its way to the server. */
  taken: '→',
  /** The file says what the document says. */
  written: '←',
  /** What was deleted on one side is deleted on the other, too. */
  deleted: '×',
  /** Something that should be known; `message` says it. */
  note: '',
  /** Something that keeps the two apart; `message` says it. */
  problem: '',
} as const

export interface SyncEvent {
  readonly event: keyof typeof signs
  readonly document: string | null
  readonly file: string | null
  readonly message?: string
}

/** Prints what happens: results as lines or JSON, notes and problems beside them. */
export class SyncReport {
  /** Problems that are not cured, by what they are about. */
  readonly #problems = new Map<string, string>()
  readonly #isJson: boolean
  readonly #surroundings: Pick<Surroundings, 'print' | 'note'>

  constructor(isJson: boolean, surroundings: Pick<Surroundings, 'print' | 'note'>) {
    this.#isJson = isJson
    this.#surroundings = surroundings
  }

  get problemCount(): number {
    return this.#problems.size
  }

  tell(event: SyncEvent): void {
    const { print, note } = this.#surroundings
    const subject = event.file ?? (event.document === null ? '' : quoteName(event.document))
    if (event.message !== undefined)
      note(escapeInvisible(`weft: ${subject === '' ? '' : `${subject}: `}${event.message}`))
    if (this.#isJson) print(escapeInvisible(JSON.stringify(event)))
    else if (event.message === undefined) {
      print(
        escapeInvisible(
          `${event.event.padEnd(7)}  ${subject} ${signs[event.event]} ${quoteName(event.document ?? '')}`,
        ),
      )
    }
  }

  /** Tells of a problem once, until it is another one or cured. */
  problem(document: string | null, file: string | null, message: string): void {
    const key = keyOf(document, file)
    if (this.#problems.get(key) === message) return
    this.#problems.set(key, message)
    this.tell({ event: 'problem', document, file, message })
  }

  cured(document: string | null, file: string | null): void {
    this.#problems.delete(keyOf(document, file))
  }
}

function keyOf(document: string | null, file: string | null): string {
  return JSON.stringify([document, file])
}
