export type { AwarenessEntry } from './awareness.ts'
export { decodeAwareness, encodeAwarenessEntries, isNullState, NULL_STATE } from './awareness.ts'
export type { CloseAction, CloseMeaning, CloseName } from './closeCode.ts'
export { closeCode, closeReason, isFinalClose, parseCloseReason, retryAfterSeconds } from './closeCode.ts'
export { decodeHocuspocusFrame, decodeMessage, MalformedMessageError } from './decodeMessage.ts'
export type { DocumentId } from './documentId.ts'
export {
  BadDocumentIdError,
  documentIdFromPath,
  documentPath,
  MAX_DOCUMENT_ID_BYTES,
  parseDocumentId,
} from './documentId.ts'
export {
  encodeAccess,
  encodeAck,
  encodeAddress,
  encodeAnnounce,
  encodeAuthenticated,
  encodeAuthenticationDenied,
  encodeAwareness,
  encodeEphemeral,
  encodePermissionDenied,
  encodeQueryAwareness,
  encodeReceipt,
  encodeSessionClosed,
  encodeStateless,
  encodeSyncStatus,
  encodeSyncStep1,
  encodeSyncStep2,
  encodeUpdate,
  encodeUpdateHead,
} from './encodeMessage.ts'
export type { AccessName, HocuspocusFrame, HocuspocusMessage, Message, ReceiptOutcome } from './message.ts'
export { accessNames, ephemeralLimit, hocuspocusType, messageType, receiptOutcome, syncStep } from './message.ts'
export { isToken, SUBPROTOCOL, TOKEN_SUBPROTOCOL } from './subprotocol.ts'
