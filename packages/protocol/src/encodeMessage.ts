import * as encoding from 'lib0/encoding'
import {
  type AccessName,
  hocuspocusAuth,
  hocuspocusType,
  messageType,
  type ReceiptOutcome,
  receiptOutcome,
  type SavingName,
  type SizeName,
  sizeStates,
  syncStep,
} from './message.ts'

/** "This is what I have": asks the other side for what is missing. */
export function encodeSyncStep1(stateVector: Uint8Array): Uint8Array {
  return encodeSync(syncStep.step1, stateVector)
}

/** The answer to a sync step 1; a client is synced when it has it. */
export function encodeSyncStep2(update: Uint8Array): Uint8Array {
  return encodeSync(syncStep.step2, update)
}

export function encodeUpdate(update: Uint8Array): Uint8Array {
  return encodeSync(syncStep.update, update)
}

/** What stands before an update of so many bytes in its message, for who copies large ones only once. */
export function encodeUpdateHead(byteLength: number): Uint8Array {
  return encodeNumbers(messageType.sync, syncStep.update, byteLength)
}

/** @param payload an awareness payload of y-protocols: count, then per client id • clock • JSON */
export function encodeAwareness(payload: Uint8Array): Uint8Array {
  return encodeBuffer(messageType.awareness, payload)
}

/** y-protocols' "permission denied", which stock clients log. */
export function encodePermissionDenied(reason: string): Uint8Array {
  return encodeText([messageType.auth, 0], reason)
}

export function encodeQueryAwareness(): Uint8Array {
  return Uint8Array.of(messageType.queryAwareness)
}

/** The server returns the same bytes once everything that came before is committed. */
export function encodeAck(payload: Uint8Array): Uint8Array {
  return encodeBuffer(messageType.ack, payload)
}

/** A client's first message of our own: from here on the server may send types from 110. */
export function encodeAnnounce(): Uint8Array {
  return Uint8Array.of(messageType.ephemeral, 0)
}

/**
 * A string that is never stored.
 * @param clientIDs from a client: for whom, none for everybody else; from the server: who sent it, none where it has no id
 */
export function encodeEphemeral(clientIDs: readonly number[], payload: string): Uint8Array {
  return encodeBuffer(messageType.ephemeral, encodeText([clientIDs.length, ...clientIDs], payload))
}

/** What has become of a client's ephemeral message. */
export function encodeReceipt(outcome: ReceiptOutcome): Uint8Array {
  return encodeBuffer(messageType.receipt, Uint8Array.of(receiptOutcome[outcome]))
}

/** Tells a client that announced itself whether its edits are taken. */
export function encodeAccess(access: AccessName): Uint8Array {
  return encodeText([messageType.access], access)
}

/** Tells a client that announced itself how it stands with storing edits. */
export function encodeSaving(saving: SavingName): Uint8Array {
  return encodeText([messageType.saving], saving)
}

/** Tells a client that announced itself how large its document is. */
export function encodeSize(state: SizeName, bytes: number, limitBytes: number): Uint8Array {
  return encodeNumbers(messageType.size, sizeStates.indexOf(state), bytes, limitBytes)
}

/** From an editor, and in answer to it: the version of the schema that it is bound to. */
export function encodeEditor(schemaVersion: number): Uint8Array {
  return encodeNumbers(messageType.editor, schemaVersion)
}

/** A newer token of the same user. */
export function encodeToken(token: string): Uint8Array {
  return encodeText([messageType.token], token)
}

/** Of the multiplexed dialect, from the server: this session has ended as a connection ends with that code and reason. */
export function encodeClosed(code: number, reason: string): Uint8Array {
  return encodeText([messageType.closed, code], reason)
}

/** Of the multiplexed dialect, from a client: it leaves this document. */
export function encodeLeave(): Uint8Array {
  return Uint8Array.of(messageType.closed)
}

/** "Is anybody there?" in the multiplexed dialect: the server returns it. */
export function encodePing(): Uint8Array {
  return Uint8Array.of(0)
}

// ── Hocuspocus: what its dialect has beside sync and awareness; `encodeAddress` stands before each ────────────────────

/** What stands before every message of Hocuspocus' dialect, and of the multiplexed one. */
export function encodeAddress(address: string): Uint8Array {
  return encoding.encode(encoder => encoding.writeVarString(encoder, address))
}

/** A message of the multiplexed dialect, behind its address. */
export function encodeAddressed(address: string, message: Uint8Array): Uint8Array {
  return concatenate(encodeAddress(address), message)
}

/** One of a provider's changes is on disk (true), or can't be taken (false). */
export function encodeSyncStatus(isApplied: boolean): Uint8Array {
  return Uint8Array.of(hocuspocusType.syncStatus, isApplied ? 1 : 0)
}

export function encodeAuthenticated(isReadOnly: boolean): Uint8Array {
  return encodeText([hocuspocusType.auth, hocuspocusAuth.authenticated], isReadOnly ? 'readonly' : 'read-write')
}

export function encodeAuthenticationDenied(reason: string): Uint8Array {
  return encodeText([hocuspocusType.auth, hocuspocusAuth.denied], reason)
}

export function encodeStateless(payload: string): Uint8Array {
  return encodeText([hocuspocusType.stateless], payload)
}

/** This session has ended; the socket, and others' sessions on it, stay. */
export function encodeSessionClosed(reason: string): Uint8Array {
  return encodeText([hocuspocusType.close], reason)
}

function encodeText(head: readonly number[], text: string): Uint8Array {
  return encoding.encode(encoder => {
    for (const value of head) encoding.writeVarUint(encoder, value)
    encoding.writeVarString(encoder, text)
  })
}

function encodeSync(step: number, bytes: Uint8Array): Uint8Array {
  return concatenate(encodeNumbers(messageType.sync, step, bytes.length), bytes)
}

function encodeBuffer(type: number, bytes: Uint8Array): Uint8Array {
  return concatenate(encodeNumbers(type, bytes.length), bytes)
}

// Sized exactly and copied once: lib0's growing encoder copies a large snapshot several times.
function concatenate(head: Uint8Array, bytes: Uint8Array): Uint8Array {
  const message = new Uint8Array(head.length + bytes.length)
  message.set(head)
  message.set(bytes, head.length)
  return message
}

function encodeNumbers(...numbers: readonly number[]): Uint8Array {
  return encoding.encode(encoder => {
    for (const number of numbers) encoding.writeVarUint(encoder, number)
  })
}
