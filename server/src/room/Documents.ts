import { type DocumentId, PART_SEPARATOR } from '@weft/protocol'
import { compareNames, type DocumentScope } from '../access/DocumentScope.ts'
import type { ContentForm } from '../ContentError.ts'
import type { ListedDocument, UpdateLog } from '../log/UpdateLog.ts'
import { type Holder, Turnstile } from '../Turnstile.ts'
import type { Rendering } from '../worker/contentTasks.ts'
import type { Workshop } from '../worker/Workshop.ts'
import { Bin, type BinServices } from './Bin.ts'
import { DocumentEdits, type DocumentEditsServices } from './DocumentEdits.ts'
import { DocumentTurns } from './DocumentTurns.ts'
import { readForRoom } from './readForRoom.ts'
import { type DocumentFacts, describe, type FoundDocument, factsOf, logOf, type Presence } from './storedFacts.ts'

/** Tasks on contents at the same time, and that wait. */
export const MAX_CONTENT_TASKS = 2
const MAX_WAITING = 64
/** Documents that are looked up at the same time, and that wait: each is read up to its snapshot. */
const MAX_LOOKUPS = 8
const MAX_WAITING_LOOKUPS = 256

interface ReadingServices {
  readonly log: Pick<UpdateLog, 'read' | 'readRemains' | 'open' | 'list'>
  /** Of its own: content may be made to take long, and sessions' updates must not wait for it. */
  readonly contentWorkshop: Pick<Workshop, 'render'>
}

export type DocumentsServices = ReadingServices &
  Omit<BinServices & DocumentEditsServices, 'turns' | 'tasks'> & {
    readonly settings: { readonly maxWaitingPerUser: number }
  }

/** How a document is read, and whose request it is. */
export interface ReadOptions {
  /** What is left of it where it is damaged. Default false. */
  readonly isDamaged?: boolean
  /** Default: nobody in particular. */
  readonly holder?: Holder | undefined
}

/** A document in one of its forms; `rendering` is null where it isn't there. */
export interface RenderedDocument extends FoundDocument {
  readonly rendering: Rendering | null
  /** What is damaged of it, in words: the rendering is of what comes before. Null: nothing is, or it wasn't asked for. */
  readonly damage: string | null
}

/**
 * Whole documents, for those who have no session: read, replaced, deleted, listed.
 *
 * What is read is committed. What is written goes through the document's room like any session's edit: open sessions get it,
 * and it is on disk before the promise resolves. A request that waits for its turn holds nothing of its document, and one
 * whose `signal` is aborted by then is passed over (it rejects with the signal's reason).
 */
export class Documents {
  readonly #services: ReadingServices
  readonly #tasks: Turnstile
  readonly #lookups = new Turnstile(MAX_LOOKUPS, MAX_WAITING_LOOKUPS)
  readonly #edits: DocumentEdits
  readonly #bin: Bin

  constructor(services: DocumentsServices) {
    this.#services = services
    const { maxWaitingPerUser } = services.settings
    this.#tasks = new Turnstile(MAX_CONTENT_TASKS, MAX_WAITING, maxWaitingPerUser)
    const turns = new DocumentTurns(MAX_WAITING, maxWaitingPerUser)
    this.#edits = new DocumentEdits({ ...services, turns, tasks: this.#tasks })
    this.#bin = new Bin({ ...services, turns })
  }

  /**
   * The documents of some scopes, in the order of their names.
   * @param options.scopes none within another, in the order of `compareNames`
   * @param options.prefix only names that begin so @param options.after only names after this one; null: from the first on
   * @throws {WeftError} what `UpdateLog.list` throws
   */
  async *list(options: {
    readonly scopes: readonly DocumentScope[]
    readonly prefix: string
    readonly after: string | null
    /** Deleted ones instead. Default false. */
    readonly deleted?: boolean
  }): AsyncGenerator<ListedDocument> {
    const { log } = this.#services
    const { scopes, prefix, after, deleted = false } = options
    for (const scope of scopes) {
      if ('document' in scope) {
        const { document } = scope
        if (!document.startsWith(prefix) || (after !== null && compareNames(document, after) <= 0)) continue
        // Of all names that begin so it is the first.
        for await (const listed of log.list({ prefix: document, deleted: true, limit: 1 })) {
          if (listed.documentId === document && (listed.deletedAt !== null) === deleted) yield listed
        }
        continue
      }
      if (!scope.prefix.startsWith(prefix) && !prefix.startsWith(scope.prefix)) continue
      const both = scope.prefix.length > prefix.length ? scope.prefix : prefix
      if (after === null) yield* this.#named(both, deleted, {})
      else if (after.startsWith(both) || compareNames(after, both) < 0) {
        yield* this.#named(both, deleted, { after: after as DocumentId })
      }
    }
  }

  /** Without what is kept beside people's documents. */
  async *#named(prefix: string, deleted: boolean, options: { after?: DocumentId }): AsyncGenerator<ListedDocument> {
    for await (const listed of this.#services.log.list({ prefix, deleted, ...options })) {
      if (listed.documentId.includes(PART_SEPARATOR) || (listed.deletedAt !== null) !== deleted) continue
      yield listed
    }
  }

  /** @throws {WeftError} what `UpdateLog.open` throws: a failed read is never an empty document; `WORKER_BUSY` */
  find(documentId: DocumentId, { isDamaged = false, holder }: ReadOptions = {}): Promise<FoundDocument> {
    const { log } = this.#services
    return this.#lookups.pass(
      async () => describe(isDamaged ? (await readForRoom(log, documentId)).stored : await log.open(documentId)),
      inTurnOnly(holder),
    )
  }

  /**
   * A document in one of its forms, as it is when its turn comes.
   * @throws {ContentError} @throws {WeftError} what `UpdateLog.read` and `Workshop.render` throw; `WORKER_BUSY`
   */
  render(
    documentId: DocumentId,
    form: ContentForm,
    signal: AbortSignal,
    { isDamaged = false, holder }: ReadOptions = {},
  ): Promise<RenderedDocument> {
    const { log, contentWorkshop } = this.#services
    return this.#tasks.pass(async () => {
      signal.throwIfAborted()
      const { stored, damage } = isDamaged
        ? await readForRoom(log, documentId)
        : { stored: await log.read(documentId), damage: null }
      const found = { ...describe(stored), damage }
      if (found.presence !== 'there') return { ...found, rendering: null }
      return { ...found, rendering: await contentWorkshop.render({ ...logOf(stored, stored.head), form }) }
    }, holder)
  }

  /** What is known of a document beside its content. */
  describe(documentId: DocumentId, holder?: Holder): Promise<DocumentFacts> {
    const { log } = this.#services
    return this.#lookups.pass(async () => {
      const stored = await log.open(documentId)
      let createdAt: number | null = null
      for await (const listed of log.list({ prefix: documentId, deleted: true, limit: 1 })) {
        if (listed.documentId === documentId) createdAt = listed.createdAt
      }
      return factsOf(stored, createdAt)
    }, inTurnOnly(holder))
  }

  /** As `DocumentEdits.replace`. */
  replace(...request: Parameters<DocumentEdits['replace']>): ReturnType<DocumentEdits['replace']> {
    return this.#edits.replace(...request)
  }

  /** As `DocumentEdits.merge`. */
  merge(...request: Parameters<DocumentEdits['merge']>): ReturnType<DocumentEdits['merge']> {
    return this.#edits.merge(...request)
  }

  /** As `Bin.delete`. */
  delete(documentId: DocumentId, isForGood: boolean): Promise<Presence> {
    return this.#bin.delete(documentId, isForGood)
  }

  /** As `Bin.restore`. */
  restore(documentId: DocumentId): Promise<Presence | 'purged'> {
    return this.#bin.restore(documentId)
  }

  /** As `Bin.empty`. */
  emptyBin(time: number): Promise<number> {
    return this.#bin.empty(time)
  }
}

/** Lookups are short, and many belong to one page with images: they take turns, and have no share. */
function inTurnOnly(holder: Holder | undefined): Holder | undefined {
  return holder && { id: holder.id, isBound: false }
}
