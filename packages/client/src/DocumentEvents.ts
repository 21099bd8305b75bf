import type { AccessName, SavingName, SizeName } from '@weft/protocol'
import type { DocumentStatus } from './documentStatus.ts'
import type { RefusedError } from './errors.ts'
import type { CloseInfo } from './WebSocketLike.ts'

/** How large a document is on its server. */
export interface DocumentSize {
  /** `large`: near its limit; `full`: nothing more is taken but what only deletes, until it is smaller. */
  readonly state: SizeName
  readonly bytes: number
  readonly limitBytes: number
}

export interface DocumentMessage {
  /** The sender's client id, as in `awareness`: the server sets it. `null`: a client that is not in awareness. */
  readonly from: number | null
  readonly payload: string
}

export interface DocumentEvents {
  status: (status: DocumentStatus) => void
  /** Every local edit is committed on the server. */
  saved: () => void
  /** `unsaved` or `unsavedLocally` has changed. */
  unsaved: (count: number, locally: number) => void
  /** The local store can't be used, or (`undefined`) can again. */
  storeError: (error: Error | undefined) => void
  refused: (error: RefusedError) => void
  /** The server takes edits of this client from now on, or doesn't any more; `isFirst`: it has never said so before. */
  access: (access: AccessName, isFirst: boolean) => void
  /** How it stands at the server with storing edits. */
  saving: (saving: SavingName) => void
  /** The document has come near its size limit on the server, has reached it, or is below it again. */
  size: (size: DocumentSize) => void
  /** The server let an edit of this client pass by (y-protocols' "permission denied"). */
  denied: (reason: string) => void
  /** `isIncomplete` has changed. */
  incomplete: (isIncomplete: boolean) => void
  /** Somebody here has sent a message (`send`). */
  message: (message: DocumentMessage) => void
  /** It was closed, and lets go of everything. */
  closed: () => void
  /** A connection ended. `retryInMs` is `null` where no further attempt comes. */
  disconnected: (info: CloseInfo & { retryInMs: number | null }) => void
}
