import { BadDocumentIdError, type DocumentId, parseDocumentId } from '@weft/protocol'
import { BadTokenError } from './BadTokenError.ts'
import { compareNames, type DocumentScope } from './DocumentScope.ts'
import { isRole, mayWrite, type Role, roles } from './Role.ts'

/** What one entry gives. */
export interface DocumentRight {
  readonly role: Role
  /** Whether documents that aren't there may be created: only who may write may do that. */
  readonly mayCreate: boolean
}

/**
 * The claim `docs` of a token: which role in which documents.
 *
 * ```
 * docs  = [entry, …]
 * entry = { document: name, role } or { prefix: '' or 'folder/…/', role }, each with or without create: boolean
 * ```
 * A prefix is of whole segments, so it ends with a slash: `team/` is all below `team/`, and neither `team` itself nor
 * `team-b/notes`; the empty prefix is every document. The most specific entry wins, also where it gives less: a document's
 * own, then the longest prefix. Who may write may also create what isn't there, but where `create` is false.
 */
export class DocumentRights {
  readonly #documents = new Map<string, DocumentRight>()
  readonly #prefixes = new Map<string, DocumentRight>()

  /** @throws {BadTokenError} the claim isn't as above, or names a document or prefix twice; a missing one gives no rights */
  constructor(claim: unknown) {
    if (claim === undefined) return
    if (!Array.isArray(claim)) throw new BadTokenError('docs is no list')
    for (const [index, entry] of claim.entries()) this.#add(entry, `docs[${index}]`)
  }

  /** The right in a document; null: none. */
  in(documentId: DocumentId): DocumentRight | null {
    const own = this.#documents.get(documentId)
    if (own !== undefined) return own
    for (let end = documentId.lastIndexOf('/'); end > 0; end = documentId.lastIndexOf('/', end - 1)) {
      const right = this.#prefixes.get(documentId.slice(0, end + 1))
      if (right !== undefined) return right
    }
    return this.#prefixes.get('') ?? null
  }

  /** The role in a document; null: no right to it. */
  roleIn(documentId: DocumentId): Role | null {
    return this.in(documentId)?.role ?? null
  }

  /** All documents with a role, whichever: none within another, in the order of `compareNames`. */
  get scopes(): readonly DocumentScope[] {
    const prefixes = [...this.#prefixes.keys()]
    const isOutside = (name: string) => !prefixes.some(prefix => prefix !== name && name.startsWith(prefix))
    const scopes = [
      ...prefixes.map(name => ({ name, scope: { prefix: name } })),
      ...[...this.#documents.keys()].map(name => ({ name, scope: { document: name } })),
    ]
    return scopes
      .filter(({ name }) => isOutside(name))
      .sort((a, b) => compareNames(a.name, b.name))
      .map(({ scope }) => scope)
  }

  /** The role that it gives in every document, whichever that is: the least of all; null: there are documents without any. */
  get roleEverywhere(): Role | null {
    return this.roleWithin('')
  }

  /**
   * The same of all documents below a prefix.
   * @param prefix ends with a slash, or is empty
   */
  roleWithin(prefix: string): Role | null {
    const around = [...this.#prefixes.keys()].filter(candidate => prefix.startsWith(candidate))
    const nearest = around.sort((a, b) => b.length - a.length)[0]
    if (nearest === undefined) return null
    const inside = [...this.#prefixes, ...this.#documents].filter(([name]) => name.startsWith(prefix))
    const given = [this.#prefixes.get(nearest), ...inside.map(([, right]) => right)]
    return roles.find(role => given.some(right => right?.role === role)) ?? null
  }

  #add(entry: unknown, where: string): void {
    if (typeof entry !== 'object' || entry === null) throw new BadTokenError(`${where} is no object`)
    const { document, prefix, role, create } = entry as Record<string, unknown>
    if (!isRole(role)) throw new BadTokenError(`${where}.role is none of ${roles.join(', ')}`)
    if (create !== undefined && typeof create !== 'boolean') throw new BadTokenError(`${where}.create is no boolean`)
    if ((document === undefined) === (prefix === undefined)) {
      throw new BadTokenError(`${where} needs either document or prefix`)
    }
    const right = { role, mayCreate: mayWrite(role) && create !== false }
    if (document !== undefined) {
      put(this.#documents, checkName(document, document, `${where}.document`), right, where)
      return
    }
    // What is below must be able to be a document.
    const isFolder = prefix === '' || (typeof prefix === 'string' && prefix.endsWith('/'))
    if (!isFolder) throw new BadTokenError(`${where}.prefix does not end with a slash`)
    put(this.#prefixes, checkName(prefix, `${prefix}a`, `${where}.prefix`), right, where)
  }
}

function put(map: Map<string, DocumentRight>, name: string, right: DocumentRight, where: string): void {
  if (map.has(name)) throw new BadTokenError(`${where} names what an entry before it names`)
  map.set(name, right)
}

/** @param probe the name, or one that begins with it @throws {BadTokenError} where no document can have it */
function checkName(value: unknown, probe: unknown, where: string): string {
  if (typeof value !== 'string' || typeof probe !== 'string') throw new BadTokenError(`${where} is no string`)
  try {
    parseDocumentId(probe)
    return value
  } catch (error) {
    if (!(error instanceof BadDocumentIdError)) throw error
    throw new BadTokenError(`${where}: ${error.message}`)
  }
}
