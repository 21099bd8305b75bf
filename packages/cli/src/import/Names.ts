import { BadDocumentIdError, type DocumentId, parseDocumentId } from '@weft/protocol'
import { UsageError } from '../errors.ts'
import { quoteName, unquoteName } from '../quoteName.ts'
import type { DecodedName } from './decodeName.ts'

/** A document's name in Weft, or why it gets none. */
export type NamedDocument =
  | { readonly state: 'named'; readonly documentId: DocumentId }
  | { readonly state: 'skipped' }
  | { readonly state: 'bad'; readonly problem: string }

export interface NameOptions {
  /** Only these of the source; empty: all. */
  readonly only: readonly string[]
  /** The source's name → Weft's. */
  readonly renames: ReadonlyMap<string, string>
}

/**
 * Chooses documents of a source and their names in Weft.
 * No two get the same name: their texts would be joined into one.
 */
export class Names {
  readonly #only: ReadonlySet<string>
  readonly #renames: ReadonlyMap<string, DocumentId>
  readonly #translate: (name: string) => DocumentId
  readonly #unused: Set<string>
  readonly #taken = new Map<DocumentId, string>()

  /**
   * @param translate what a name is in Weft where nothing else is asked
   * @throws {UsageError} a new name breaks a rule
   */
  constructor({ only, renames }: NameOptions, translate: (name: string) => DocumentId) {
    this.#only = new Set(only)
    this.#renames = new Map([...renames].map(([from, to]) => [from, checkedName(from, to)]))
    this.#translate = translate
    this.#unused = new Set([...only, ...renames.keys()])
  }

  /** Takes the next document of the source. */
  take({ name, nameFault }: DecodedName): NamedDocument {
    this.#unused.delete(name)
    if (this.#only.size > 0 && !this.#only.has(name)) return { state: 'skipped' }
    let documentId = this.#renames.get(name)
    if (documentId === undefined) {
      if (nameFault !== null) return { state: 'bad', problem: `${nameFault}; --rename gives it another` }
      try {
        documentId = this.#translate(name)
      } catch (error) {
        if (!(error instanceof BadDocumentIdError)) throw error
        return { state: 'bad', problem: `${error.message}; --rename gives it another` }
      }
    }
    const taker = this.#taken.get(documentId)
    if (taker !== undefined) {
      return {
        state: 'bad',
        problem: `${quoteName(taker)} has the name ${quoteName(documentId)} already; --rename gives it another`,
      }
    }
    this.#taken.set(documentId, name)
    return { state: 'named', documentId }
  }

  /** What was asked for by name and did not come. */
  get unused(): readonly string[] {
    return [...this.#unused]
  }
}

/**
 * Reads `--rename OLD=NEW`. OLD may contain `=`, NEW may not.
 * @throws {UsageError}
 */
export function readRename(text: string): [from: string, to: string] {
  const equals = text.lastIndexOf('=')
  if (equals < 0) throw new UsageError(`--rename is '${text}': expected OLD=NEW`)
  return [unquoteName(text.slice(0, equals), '--rename'), text.slice(equals + 1)]
}

function checkedName(from: string, to: string): DocumentId {
  try {
    return parseDocumentId(to)
  } catch (error) {
    if (!(error instanceof BadDocumentIdError)) throw error
    throw new UsageError(`${quoteName(from)} can't be renamed to ${quoteName(to)}: ${error.message}`)
  }
}
