import type { CloseName, DocumentId } from '@weft/protocol'
import type { Grant } from '../access/Grant.ts'
import type { StateVector } from '../crdt/stateVector.ts'
import type { Bound } from '../Meters.ts'
import type { Outlet } from './Outlet.ts'
import type { StampedUser } from './stampUser.ts'

/**
 * Where a session stands in its document's log.
 * - `unasked`: it has not asked yet (no sync step 1), and is sent no edits.
 * - `behind`: it gets what comes after `position`, as fast as it reads, and then `finish`: the answer it waits for.
 * - `live`: it stands at the head, and is sent every batch that is committed.
 */
export type Cursor =
  | { readonly state: 'unasked' }
  | { readonly state: 'behind'; position: number; readonly finish: Buffer | null }
  | { readonly state: 'live' }

/**
 * - `y-websocket`: acknowledgements are messages 102, returned to who sends them.
 * - `hocuspocus`: they are SyncStatus messages, as many as the provider counts changes of its own; and stateless messages pass.
 */
export type Dialect = 'y-websocket' | 'hocuspocus'

/**
 * A session as its room sees it, and the room's parts do: who is here, where they stand in the log, what they have heard. Rooms
 * know nothing of how a session takes in what its client says, and sessions know their room.
 */
export interface Member {
  readonly documentId: DocumentId
  /** Names it in the API. */
  readonly id: string
  readonly outlet: Outlet
  readonly dialect: Dialect
  /** Whether it can be written to. What it sent counts until it ends, which may be later. */
  readonly isOpen: boolean
  /** What it may do. */
  readonly grant: Grant
  /** Whose it is; null where nobody is asked. */
  readonly userId: string | null
  /** Who its client is, as others are told; null where nobody is asked. */
  readonly user: StampedUser | null
  /** When it was opened, ms since the epoch. */
  readonly openedAt: number
  /** The same, monotonic ms. */
  readonly joinedAt: number
  /** It has asked for messages of Weft's own. */
  readonly hasAnnounced: boolean

  cursor: Cursor
  /** Whether an answer to its sync step 1 is being made. */
  isAnswering: boolean
  /** The state vector of a sync step 1 that came while an answer was being made, or faster than they are answered. */
  nextQuestion: StateVector | null

  /** The one client id that it introduced in awareness. */
  clientID: number | null
  hasSentAwareness: boolean
  /** The awareness table's tick at which it came. */
  cameAt: number
  /** Awareness was not written to it because it read too slowly: it gets the whole table later. */
  isAwarenessBehind: boolean
  /** The awareness table's tick when it last heard what changed, where something was not written to it since. */
  awarenessHeardAt: number | null

  /** Returns the acknowledgements that are due. Called after each commit that it waits for. */
  payAcks(): void
  /** How it stands with storing edits has changed. */
  savingChanged(): void
  /** The document is warned of, has become full, or has room again. */
  sizeChanged(): void
  /** Somebody has written the document's first words. */
  begun(): void
  /** Its right may have changed. */
  review(): void
  /** Closes its connection, or its part of one, because a bound was met: that is counted. */
  endOver(bound: Bound, name: CloseName, text: string): void
  end(): void
}
