import type { User } from '@weft/client'
import { fragmentOf, toMarkdown } from '@weft/client/text'
import type { DocumentId } from '@weft/protocol'
import { FRAGMENT_NAME, findUnknown, fromMarkdown, readNode, replaceDocument } from '@weft/schema'
import * as Y from 'yjs'
import { quoteName } from '../quoteName.ts'
import { ServerApi } from '../ServerApi.ts'
import type { AgentSession, SaveState } from './AgentSession.ts'
import { AgentSessions } from './AgentSessions.ts'
import { Calls } from './Calls.ts'
import type { Change } from './changes.ts'
import { DocumentSearch } from './DocumentSearch.ts'
import type { McpSettings } from './McpSettings.ts'
import type { DocumentNode } from './sections.ts'
import { ToolError } from './ToolError.ts'
import { Versions, versionOf } from './Versions.ts'

/** What people see where neither the command nor the program that started it gives a name. */
const NAMELESS = 'Agent'
const MAX_NAME_LENGTH = 60

/** A document as an agent is shown it. */
export interface Reading {
  readonly version: string
  readonly node: DocumentNode
  /** Names of those who are shown in it. */
  readonly others: readonly string[]
  /** Things in it that have no form in Markdown. */
  readonly leftOut: number
  /** Without a connection: it may have changed meanwhile. */
  readonly isOffline: boolean
  readonly unsavedCount: number
}

/** What became of an edit. */
export interface Edited {
  readonly before: string
  readonly after: string
  /** The document's version after it. */
  readonly version: string
  /** Others had changed the document since the version that the edit was based on. */
  readonly isMerged: boolean
  readonly save: SaveState
}

/** What a language model does on a server, without the protocol in which it asks for it. */
export class Agent {
  readonly settings: McpSettings
  readonly api: ServerApi
  readonly sessions: AgentSessions
  readonly search: DocumentSearch
  readonly calls = new Calls()
  readonly #versions = new Versions()
  #clientName: string | undefined

  /** @param signal ends what is under way @param note says something to the person who runs this */
  constructor(settings: McpSettings, signal: AbortSignal, note: (line: string) => void) {
    this.settings = settings
    this.api = new ServerApi(settings.server, signal)
    this.search = new DocumentSearch(this.api)
    const { server, lingerMs } = settings
    this.sessions = new AgentSessions({ server, lingerMs, note, user: () => this.user })
  }

  /** How people see it. */
  get user(): User {
    return { name: this.settings.name ?? this.#clientName ?? NAMELESS, color: this.settings.color }
  }

  /** What the program that started this one calls itself. */
  set clientName(name: string | undefined) {
    const trimmed = name
      ?.replace(/[\p{C}\s]+/gu, ' ')
      .trim()
      .slice(0, MAX_NAME_LENGTH)
    if (trimmed) this.#clientName = trimmed
  }

  /** @throws {ToolError} {CommandError} */
  read(documentId: DocumentId): Promise<Reading> {
    return this.sessions.use(documentId, session => {
      const { document } = session
      requireText(documentId, document.ydoc)
      return {
        version: this.#versions.keep(documentId, document.ydoc),
        node: readNode(fragmentOf(document)),
        others: session.others,
        leftOut: findUnknown(fragmentOf(document)).length,
        isOffline: document.status !== 'synced',
        unsavedCount: document.unsaved,
      }
    })
  }

  /**
   * Changes a document that is there.
   * @param base the version that the agent has seen: the edit is what differs from that one, and what others wrote since then
   * stays. Null: the edit is made on what the document is now.
   * @throws {ToolError} {EditError} {RangeError} it can't be done, and nothing was changed; {CommandError}
   */
  edit(documentId: DocumentId, base: string | null, change: Change): Promise<Edited> {
    return this.#edit(documentId, base, session => {
      requireText(documentId, session.document.ydoc)
      const { ydoc } = session.document
      if (base === null || base === versionOf(ydoc)) {
        rewrite(ydoc, change)
        return
      }
      const earlier = this.#versions.open(documentId, base)
      if (earlier === null) {
        throw new ToolError(
          `version ${base} of ${quoteName(documentId)} is not known here (any more): read the document again, and base ` +
            'the edit on what it says then',
        )
      }
      const updates: Uint8Array[] = []
      earlier.on('update', update => updates.push(update))
      rewrite(earlier, change)
      earlier.destroy()
      if (updates.length > 0) Y.applyUpdate(ydoc, Y.mergeUpdates(updates))
    })
  }

  /** Adds blocks at the end of a document that is there. @throws as `edit` */
  append(documentId: DocumentId, add: (session: AgentSession) => void): Promise<Edited> {
    return this.#edit(documentId, null, session => {
      requireText(documentId, session.document.ydoc)
      add(session)
    })
  }

  /** Begins a document. @throws {ToolError} it is there already; as `edit` */
  create(documentId: DocumentId, add: (session: AgentSession) => void): Promise<Edited> {
    return this.#edit(documentId, null, session => {
      if (isThere(session.document.ydoc)) {
        throw new ToolError(
          `${quoteName(documentId)} is there already, and was not changed: read it, and edit it with the other tools, or ` +
            'choose another name',
        )
      }
      add(session)
    })
  }

  #edit(documentId: DocumentId, base: string | null, change: (session: AgentSession) => void): Promise<Edited> {
    return this.sessions.use(documentId, async session => {
      const { document } = session
      const [before, versionBefore] = [toMarkdown(document), versionOf(document.ydoc)]
      session.edit(() => change(session))
      const after = toMarkdown(document)
      const version = this.#versions.keep(documentId, document.ydoc)
      const save = await session.saved()
      return { before, after, version, isMerged: base !== null && base !== versionBefore, save }
    })
  }

  /** @returns what could not be saved, a line for each */
  close(): Promise<string[]> {
    return this.sessions.close()
  }
}

function rewrite(ydoc: Y.Doc, change: Change): void {
  const fragment = fragmentOf({ ydoc })
  const node = change(readNode(fragment))
  // A document has a block at least.
  replaceDocument(fragment, node.childCount > 0 ? node : fromMarkdown(''))
}

function isThere(ydoc: Y.Doc): boolean {
  return ydoc.store.clients.size > 0
}

/** @throws {ToolError} there is no such document, or it has no text */
function requireText(documentId: DocumentId, ydoc: Y.Doc): void {
  if (!isThere(ydoc)) {
    throw new ToolError(
      `there is no document ${quoteName(documentId)}: list_documents shows what there is, create_document makes a new one`,
    )
  }
  if (ydoc.getXmlFragment(FRAGMENT_NAME).length > 0) return
  const others = [...ydoc.share].filter(([name, type]) => name !== FRAGMENT_NAME && holdsSomething(type))
  if (others.length === 0) return
  const names = others.slice(0, 5).map(([name]) => JSON.stringify(name))
  throw new ToolError(`${quoteName(documentId)} has no text; what it holds is called ${names.join(', ')}`)
}

// Roots that nobody has asked for by their type yet: only what all types have can be looked at.
function holdsSomething(type: { readonly _length: number; readonly _map: ReadonlyMap<string, Y.Item> }): boolean {
  return type._length > 0 || [...type._map.values()].some(item => !item.deleted)
}
