import * as decoding from 'lib0/decoding'
import { MAX_DOCUMENT_ID_BYTES } from './documentId.ts'
import {
  type AddressedFrame,
  accessNames,
  ephemeralLimit,
  type HocuspocusFrame,
  type HocuspocusMessage,
  hocuspocusAuth,
  hocuspocusType,
  type Message,
  messageType,
  type ReceiptOutcome,
  receiptOutcome,
  savingNames,
  sizeStates,
  syncStep,
} from './message.ts'

/** Bytes that are no message; `message` says why. */
export class MalformedMessageError extends Error {
  override readonly name = 'MalformedMessageError'
}

/**
 * Reads one frame of the y-websocket dialect. The arrays inside the result are views of `frame`.
 * @throws {MalformedMessageError} when the frame is empty, cut short, has bytes left over or an unknown sync step
 */
export function decodeMessage(frame: Uint8Array): Message {
  return decodeFrame(frame, decoder => readBody(decoder, decoding.readVarUint(decoder)))
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
/** A document's name, NUL, and a session id of up to 64 bytes. */
const MAX_ADDRESS_BYTES = MAX_DOCUMENT_ID_BYTES + 1 + 64

/**
 * Reads one frame of the multiplexed dialect. The arrays inside the result are views of `frame`.
 * @throws {MalformedMessageError} as `decodeMessage`, and for an address over 320 bytes
 */
export function decodeAddressedFrame(frame: Uint8Array): AddressedFrame {
  if (frame.length === 1 && frame[0] === 0) return { address: null, message: null }
  let address = ''
  const message = decodeFrame(frame, decoder => {
    address = readAddress(decoder)
    return readBody(decoder, decoding.readVarUint(decoder))
  })
  return { address, message }
}

/**
 * Takes the address from the front of a frame of the multiplexed dialect, without looking into the message.
 * @returns where the message begins
 * @throws {MalformedMessageError}
 */
export function splitAddress(frame: Uint8Array): { address: string; begin: number } {
  let address = ''
  const decoder = decoding.createDecoder(frame)
  decodeFrame(frame, () => {
    address = readAddress(decoder)
    return { type: 'unknown' }
  })
  return { address, begin: decoder.pos }
}

/**
 * Reads one frame of Hocuspocus' dialect, as its providers 2 to 4 write them. The arrays inside the result are views of `frame`.
 * @throws {MalformedMessageError} as `decodeMessage`, and for an address over 320 bytes or an auth message that brings no token
 */
export function decodeHocuspocusFrame(frame: Uint8Array): HocuspocusFrame {
  if (frame.length === 1) {
    if (frame[0] === hocuspocusType.ping) return { address: null, message: { type: 'ping' } }
    if (frame[0] === hocuspocusType.pong) return { address: null, message: { type: 'pong' } }
  }
  let address = ''
  const message = decodeFrame(frame, decoder => {
    address = readAddress(decoder)
    return readHocuspocusBody(decoder, decoding.readVarUint(decoder))
  })
  return { address, message }
}

function readAddress(decoder: decoding.Decoder): string {
  const bytes = readBytes(decoder)
  // It stands before everything that is sent there.
  if (bytes.length > MAX_ADDRESS_BYTES) {
    throw new MalformedMessageError(`an address of ${bytes.length} bytes is over ${MAX_ADDRESS_BYTES}`)
  }
  return strictUtf8.decode(bytes)
}

function decodeFrame<M extends { type: string }>(frame: Uint8Array, read: (decoder: decoding.Decoder) => M): M {
  try {
    const decoder = decoding.createDecoder(frame)
    const message = read(decoder)
    if (message.type !== 'unknown' && decoding.hasContent(decoder)) {
      throw new MalformedMessageError(`${frame.length - decoder.pos} bytes after the end of the message`)
    }
    return message
  } catch (error) {
    if (error instanceof MalformedMessageError) throw error
    // lib0 throws plain errors at the end of the array and for integers beyond 2^53.
    throw new MalformedMessageError(`a message of ${frame.length} bytes does not decode`, { cause: error })
  }
}

function readBody(decoder: decoding.Decoder, type: number): Message {
  switch (type) {
    case messageType.sync:
      return readSync(decoder)
    case messageType.awareness:
      return { type: 'awareness', payload: readBytes(decoder) }
    case messageType.auth:
      return readAuth(decoder)
    case messageType.queryAwareness:
      return { type: 'queryAwareness' }
    case messageType.ack:
      return { type: 'ack', payload: readBytes(decoder) }
    case messageType.ephemeral:
      return readEphemeral(readBytes(decoder))
    case messageType.receipt:
      return {
        type: 'receipt',
        outcome: outcomes[decoding.readVarUint(decoding.createDecoder(readBytes(decoder)))] ?? null,
      }
    case messageType.access: {
      const access = readName(decoder, accessNames)
      if (access !== undefined) return { type: 'access', access }
      break
    }
    case messageType.size: {
      const state = sizeStates[decoding.readVarUint(decoder)]
      const bytes = decoding.readVarUint(decoder)
      const limitBytes = decoding.readVarUint(decoder)
      if (state !== undefined) return { type: 'size', state, bytes, limitBytes }
      break
    }
    case messageType.editor:
      return { type: 'editor', schemaVersion: decoding.readVarUint(decoder) }
    case messageType.token:
      return { type: 'token', token: decoding.readVarString(decoder) }
    case messageType.saving: {
      const saving = readName(decoder, savingNames)
      if (saving !== undefined) return { type: 'saving', saving }
      break
    }
    case messageType.closed:
      if (!decoding.hasContent(decoder)) return { type: 'leave' }
      return { type: 'closed', code: decoding.readVarUint(decoder), reason: decoding.readVarString(decoder) }
  }
  // Or what a later version may say in one of these.
  return { type: 'unknown', messageType: type }
}

/** @returns `undefined` for a name that is none of them */
function readName<Name extends string>(decoder: decoding.Decoder, names: readonly Name[]): Name | undefined {
  const text = decoding.readVarString(decoder)
  return names.find(name => name === text)
}

function readHocuspocusBody(decoder: decoding.Decoder, type: number): HocuspocusMessage {
  switch (type) {
    case hocuspocusType.sync:
      return readSync(decoder)
    case hocuspocusType.awareness:
      return { type: 'awareness', payload: readBytes(decoder) }
    case hocuspocusType.auth:
      return readToken(decoder)
    case hocuspocusType.queryAwareness:
      return { type: 'queryAwareness' }
    case hocuspocusType.stateless:
      return { type: 'stateless', payload: decoding.readVarString(decoder) }
    case hocuspocusType.close:
      return { type: 'leave' }
    default:
      return { type: 'unknown', messageType: type }
  }
}

function readToken(decoder: decoding.Decoder): HocuspocusMessage {
  const kind = decoding.readVarUint(decoder)
  if (kind !== hocuspocusAuth.token) throw new MalformedMessageError(`auth message ${kind} is not 0`)
  const token = decoding.readVarString(decoder)
  return { type: 'token', token, version: decoding.hasContent(decoder) ? decoding.readVarString(decoder) : null }
}

function readSync(decoder: decoding.Decoder): Extract<Message, { type: 'syncStep1' | 'syncStep2' | 'update' }> {
  const step = decoding.readVarUint(decoder)
  switch (step) {
    case syncStep.step1:
      return { type: 'syncStep1', stateVector: readBytes(decoder) }
    case syncStep.step2:
      return { type: 'syncStep2', update: readBytes(decoder) }
    case syncStep.update:
      return { type: 'update', update: readBytes(decoder) }
    default:
      throw new MalformedMessageError(`sync step ${step} is not 0, 1 or 2`)
  }
}

function readAuth(decoder: decoding.Decoder): Message {
  const kind = decoding.readVarUint(decoder)
  if (kind !== 0) throw new MalformedMessageError(`auth message ${kind} is not 0`)
  return { type: 'permissionDenied', reason: decoding.readVarString(decoder) }
}

const outcomes = Object.keys(receiptOutcome) as ReceiptOutcome[]

function readEphemeral(body: Uint8Array): Message {
  if (body.length === 0) return { type: 'announce' }
  const decoder = decoding.createDecoder(body)
  const count = decoding.readVarUint(decoder)
  const { clientIDs: maxCount, payloadBytes } = ephemeralLimit
  if (count > maxCount) throw new MalformedMessageError(`${count} client ids are over ${maxCount}`)
  const clientIDs = Array.from({ length: count }, () => decoding.readVarUint(decoder))
  const payload = readBytes(decoder)
  if (payload.length > payloadBytes) {
    throw new MalformedMessageError(`an ephemeral message of ${payload.length} bytes is over ${payloadBytes}`)
  }
  if (decoding.hasContent(decoder)) throw new MalformedMessageError('bytes after the payload of an ephemeral message')
  return { type: 'ephemeral', clientIDs, payload: strictUtf8.decode(payload) }
}

// lib0's readVarUint8Array trusts the length: a view that would reach past the end throws a RangeError of the engine.
function readBytes(decoder: decoding.Decoder): Uint8Array {
  const length = decoding.readVarUint(decoder)
  const left = decoder.arr.length - decoder.pos
  if (length > left) throw new MalformedMessageError(`a buffer of ${length} bytes with ${left} left`)
  return decoding.readUint8Array(decoder, length)
}
