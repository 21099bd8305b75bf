export type { AwarenessEntry } from './awareness.ts'
export { decodeAwareness, encodeAwarenessEntries, isNullState, NULL_STATE } from './awareness.ts'
export type { CloseName } from './closeCode.ts'
export { closeCode, isFinalClose, parseCloseReason, retryAfterSeconds } from './closeCode.ts'
export type { CloseAction } from './closeMeaning.ts'
export { closeMeaning } from './closeMeaning.ts'
export { closeReason } from './closeReason.ts'
export {
  decodeAddressedFrame,
  decodeHocuspocusFrame,
  decodeMessage,
  MalformedMessageError,
  splitAddress,
} from './decodeMessage.ts'
export type { DocumentId } from './documentId.ts'
export {
  BadDocumentIdError,
  documentIdFromPath,
  documentPath,
  MAX_DOCUMENT_ID_BYTES,
  parseDocumentId,
} from './documentId.ts'
export {
  type DocumentPart,
  documentParts,
  isKept,
  keptParts,
  PART_SEPARATOR,
  parseDocumentAddress,
  partOf,
  splitPart,
  withPart,
} from './documentPart.ts'
export {
  encodeAccess,
  encodeAck,
  encodeAddress,
  encodeAddressed,
  encodeAnnounce,
  encodeAuthenticated,
  encodeAuthenticationDenied,
  encodeAwareness,
  encodeClosed,
  encodeEditor,
  encodeEphemeral,
  encodeLeave,
  encodePermissionDenied,
  encodePing,
  encodeQueryAwareness,
  encodeReceipt,
  encodeSaving,
  encodeSessionClosed,
  encodeSize,
  encodeStateless,
  encodeSyncStatus,
  encodeSyncStep1,
  encodeSyncStep2,
  encodeToken,
  encodeUpdate,
  encodeUpdateHead,
} from './encodeMessage.ts'
export type {
  AccessName,
  AddressedFrame,
  HocuspocusFrame,
  HocuspocusMessage,
  Message,
  ReceiptOutcome,
  SavingName,
  SizeName,
} from './message.ts'
export {
  accessNames,
  ephemeralLimit,
  hocuspocusType,
  messageType,
  receiptOutcome,
  savingNames,
  sizeStates,
  syncStep,
} from './message.ts'
export { isToken, MULTIPLEX_SUBPROTOCOL, SUBPROTOCOL, TOKEN_SUBPROTOCOL } from './subprotocol.ts'
