/** The messages of a connection, one in each binary frame: `message = varUint(type) • body`. */
export * as messageType from './messageTypes.ts'

/**
 * The buffer of an ephemeral message: `varUint(count) • varUint(clientID) * count • varString(payload)`. From a client the
 * ids say whom it is for (none: everybody else in the document), from the server who sent it (none: it has no id here).
 */
export const ephemeralLimit = {
  /** Bytes of the payload in UTF-8. */
  payloadBytes: 16 * 1024,
  clientIDs: 100,
} as const

/** The buffer of a receipt: `varUint(outcome)`. */
export const receiptOutcome = {
  /** To everybody whom it is for, is there and reads. */
  passedOn: 0,
  /** Dropped: more messages than the sender, or the document, may have. */
  tooFast: 1,
  /** Dropped: only who may write may send messages. */
  forbidden: 2,
} as const
export type ReceiptOutcome = keyof typeof receiptOutcome

/**
 * Messages of Hocuspocus' dialect: `message = varString(address) • varUint(type) • body`. `sync`, `awareness` and
 * `queryAwareness` have the types and bodies of the other dialect. An address is a document's name, or name • NUL • session id.
 */
export const hocuspocusType = {
  sync: 0,
  awareness: 1,
  /** Another thing than y-protocols' type 2: `hocuspocusAuth`. */
  auth: 2,
  queryAwareness: 3,
  /** A string for all others in the document, never stored. */
  stateless: 5,
  /** From the server with a reason: this session has ended, the socket stays. From a client, without a body: it leaves. */
  close: 7,
  /** `varUint(1)`: one more of the provider's changes is on disk; 0: one can't be taken. */
  syncStatus: 8,
  /** Alone in their frames, without an address. */
  ping: 9,
  pong: 10,
} as const

/** `body of auth = varUint(kind) • …` */
export const hocuspocusAuth = {
  /** From a provider: varString(token) • varString(its version; absent before 4). */
  token: 0,
  /** From the server: varString(reason). */
  denied: 1,
  /** From the server: varString(`readonly` or `read-write`). */
  authenticated: 2,
} as const

/** `body of sync = varUint(step) • varByteArray` */
export const syncStep = { step1: 0, step2: 1, update: 2 } as const

/** How large a document is, by its place here: `large` is warned of, `full` takes nothing more but what only deletes. */
export const sizeStates = ['fine', 'large', 'full'] as const

export type SizeName = (typeof sizeStates)[number]

/** Whether edits are taken from a client, as message 112 says it. */
export const accessNames = ['read-write', 'read-only'] as const

export type AccessName = (typeof accessNames)[number]

/**
 * How it stands with storing what people write, as message 115 says it.
 * - `saving`: all is well;
 * - `saving-failing`: writes fail, and are tried again: edits are not saved until they are acknowledged, as ever;
 * - `disk-full`: too little space is left: for now nobody's edits are taken;
 * - `damaged`: stored records of this document are damaged: what comes before them can be read, and no edits are taken.
 */
export const savingNames = ['saving', 'saving-failing', 'disk-full', 'damaged'] as const

export type SavingName = (typeof savingNames)[number]

/** A message as it came in, its type and shape known, its bytes not yet looked into. */
export type Message =
  | { readonly type: 'syncStep1'; readonly stateVector: Uint8Array }
  | { readonly type: 'syncStep2'; readonly update: Uint8Array }
  | { readonly type: 'update'; readonly update: Uint8Array }
  | { readonly type: 'awareness'; readonly payload: Uint8Array }
  | { readonly type: 'queryAwareness' }
  | { readonly type: 'permissionDenied'; readonly reason: string }
  | { readonly type: 'ack'; readonly payload: Uint8Array }
  | { readonly type: 'announce' }
  /** `clientIDs`: for whom, or from whom (`ephemeralLimit`). */
  | { readonly type: 'ephemeral'; readonly clientIDs: readonly number[]; readonly payload: string }
  /** `outcome` is null for one that this version doesn't know. */
  | { readonly type: 'receipt'; readonly outcome: ReceiptOutcome | null }
  | { readonly type: 'access'; readonly access: AccessName }
  | { readonly type: 'size'; readonly state: SizeName; readonly bytes: number; readonly limitBytes: number }
  | { readonly type: 'editor'; readonly schemaVersion: number }
  | { readonly type: 'token'; readonly token: string }
  | { readonly type: 'saving'; readonly saving: SavingName }
  | { readonly type: 'leave' }
  | { readonly type: 'closed'; readonly code: number; readonly reason: string }
  /** A type that this version doesn't know; whoever reads it may ignore it. */
  | { readonly type: 'unknown'; readonly messageType: number }

/** One frame of the multiplexed dialect: `varString(address) • message`. Without an address and a message: is anybody there? */
export type AddressedFrame =
  | { readonly address: string; readonly message: Message }
  | { readonly address: null; readonly message: null }

/** What a Hocuspocus provider says, behind its address. */
export type HocuspocusMessage =
  | Extract<Message, { type: 'syncStep1' | 'syncStep2' | 'update' | 'awareness' | 'queryAwareness' | 'unknown' }>
  /** `version`: the provider's, null where it doesn't say (before 4). */
  | { readonly type: 'token'; readonly token: string; readonly version: string | null }
  | { readonly type: 'stateless'; readonly payload: string }
  | { readonly type: 'leave' }

/** One frame of a Hocuspocus provider. `address` is null in those that have none. */
export type HocuspocusFrame =
  | { readonly address: string; readonly message: HocuspocusMessage }
  | { readonly address: null; readonly message: { readonly type: 'ping' | 'pong' } }
