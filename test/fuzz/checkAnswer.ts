import {
  closeCode,
  decodeAddressedFrame,
  decodeAwareness,
  decodeMessage,
  hocuspocusType,
  type Message,
  parseCloseReason,
  splitAddress,
} from '@weft/protocol'
import * as decoding from 'lib0/decoding'
import * as Y from 'yjs'
import { hocuspocusAuth } from '../../packages/protocol/src/message.ts'
import { readUpdate } from '../../server/src/crdt/readUpdate.ts'
import { NO_LIMITS } from '../../server/src/crdt/UpdateLimits.ts'
import type { DialectName } from './messageFields.ts'

const MAX_READ_BYTES = 2000

/** What a client has said so far that allows the server to say more. */
export interface Said {
  hasAnnounced: boolean
  readonly addresses: ReadonlySet<string>
}

/** An answer of the server, taken apart. */
export interface Heard {
  readonly address: string | null
  /** null: none of y-websocket's. */
  readonly message: Message | null
}

/**
 * Holds what the server says to PROTOCOL.md: all that a client of that dialect can be told, and nothing else.
 * @throws where it is anything else
 */
export function checkAnswer(dialect: DialectName, frame: Uint8Array, said: Said): Heard {
  switch (dialect) {
    case 'y-websocket':
      return { address: null, message: checkOwn(decodeMessage(frame), said) }
    case 'multiplex': {
      const { address, message } = decodeAddressedFrame(frame)
      if (address === null) return { address, message }
      checkAddress(address, said)
      if (message.type === 'closed') checkClose(message)
      else checkOwn(message, said)
      return { address, message }
    }
    case 'hocuspocus':
      return checkHocuspocus(frame, said)
  }
}

/** Holds a close code to the documented ones, and its reason to their form. @throws where it is another one */
export function checkClose({ code, reason }: { readonly code: number; readonly reason: string }): void {
  const { word, text } = parseCloseReason(reason)
  const isKnown = Object.values(closeCode).some(known => known.code === code && known.word === word)
  if (!isKnown || text === '' || Buffer.byteLength(reason) > 123) {
    throw new Error(`the server closes with ${code} ${JSON.stringify(reason)}`)
  }
  if (code === closeCode.internal.code) throw new Error(`the server blames itself: ${reason}`)
}

function checkOwn(message: Message, said: Said): Message {
  switch (message.type) {
    case 'syncStep1':
      Y.decodeStateVector(message.stateVector)
      return message
    case 'syncStep2':
    case 'update':
      // Snapshots are many bytes, and the same for all who come.
      if (message.update.length <= MAX_READ_BYTES) readUpdate(message.update, NO_LIMITS)
      return message
    case 'awareness':
      checkAwareness(message.payload)
      return message
    case 'permissionDenied':
      if (parseCloseReason(message.reason).word === '') throw new Error(`a denial without a word: ${message.reason}`)
      return message
    case 'ack':
      return message
    case 'ephemeral':
    case 'receipt':
    case 'access':
    case 'editor':
      if (!said.hasAnnounced) throw new Error(`${message.type} to a client that has not asked for such messages`)
      return message
    default:
      throw new Error(`the server says ${message.type}`)
  }
}

function checkAwareness(payload: Uint8Array): void {
  for (const { json } of decodeAwareness(payload)) {
    const state: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json))
    if (typeof state !== 'object' || Array.isArray(state)) throw new Error('the server relays a state that is none')
  }
}

function checkHocuspocus(frame: Uint8Array, said: Said): Heard {
  // A keep-alive where no document is open has any address.
  const { address, begin } = splitAddress(frame)
  const body = frame.subarray(begin)
  if (address !== '-') checkAddress(address, said)
  const decoder = decoding.createDecoder(body)
  const type = decoding.readVarUint(decoder)
  switch (type) {
    case hocuspocusType.sync:
    case hocuspocusType.awareness:
      return { address, message: checkOwn(decodeMessage(body), said) }
    case hocuspocusType.auth: {
      const kind = decoding.readVarUint(decoder)
      const text = decoding.readVarString(decoder)
      const isKnown =
        kind === hocuspocusAuth.denied
          ? parseCloseReason(text).word !== ''
          : kind === hocuspocusAuth.authenticated && (text === 'readonly' || text === 'read-write')
      if (!isKnown) throw new Error(`the server says auth ${kind} ${text}`)
      break
    }
    case hocuspocusType.stateless:
    case hocuspocusType.close:
      decoding.readVarString(decoder)
      break
    case hocuspocusType.syncStatus:
      if (decoding.readVarUint(decoder) > 1) throw new Error('a sync status is neither 0 nor 1')
      break
    default:
      throw new Error(`the server says a message of type ${type}`)
  }
  if (decoding.hasContent(decoder)) throw new Error(`bytes after a message of type ${type}`)
  return { address, message: null }
}

function checkAddress(address: string, said: Said): void {
  if (!said.addresses.has(address)) throw new Error(`an answer at ${JSON.stringify(address)}, where nothing was said`)
}
