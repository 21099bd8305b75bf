import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { decodeAwareness, encodeAwarenessEntries, isNullState, NULL_STATE } from './awareness.ts'
import { decodeAddressedFrame, decodeMessage, MalformedMessageError, splitAddress } from './decodeMessage.ts'
import {
  encodeAccess,
  encodeAck,
  encodeAddress,
  encodeAnnounce,
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
  encodeSyncStep1,
  encodeSyncStep2,
  encodeToken,
  encodeUpdate,
} from './encodeMessage.ts'
import { ephemeralLimit, receiptOutcome } from './message.ts'

const bytes = (hex: string) => Uint8Array.from(hex.split(' ').map(pair => Number.parseInt(pair, 16)))

it('speaks the bytes of the y-websocket dialect', () => {
  expect(encodeSyncStep1(bytes('00'))).toEqual(bytes('00 00 01 00'))
  expect(encodeSyncStep2(bytes('00 00'))).toEqual(bytes('00 01 02 00 00'))
  expect(encodeUpdate(bytes('00 00'))).toEqual(bytes('00 02 02 00 00'))
  expect(encodeAwareness(bytes('00'))).toEqual(bytes('01 01 00'))
  expect(encodePermissionDenied('no')).toEqual(bytes('02 00 02 6e 6f'))
  expect(encodeQueryAwareness()).toEqual(bytes('03'))
  expect(encodeAck(bytes('05'))).toEqual(bytes('66 01 05'))
  expect(encodeAnnounce()).toEqual(bytes('6e 00'))
  expect(encodeEphemeral([], 'ü')).toEqual(bytes('6e 04 00 02 c3 bc'))
  expect(encodeEphemeral([5, 300], '')).toEqual(bytes('6e 05 02 05 ac 02 00'))
  expect(encodeReceipt('tooFast')).toEqual(bytes('6f 01 01'))
  expect(encodeToken('a.b')).toEqual(bytes('71 03 61 2e 62'))
  expect(encodeLeave()).toEqual(bytes('72'))
  expect(encodeClosed(4403, 'no')).toEqual(bytes('72 b3 22 02 6e 6f'))
  expect(encodePing()).toEqual(bytes('00'))
  expect(encodeAccess('read-only')).toEqual(bytes('70 09 72 65 61 64 2d 6f 6e 6c 79'))
})

it('reads what it writes', () => {
  const long = new Uint8Array(70_000).fill(7)
  expect(decodeMessage(encodeSyncStep1(long))).toEqual({ type: 'syncStep1', stateVector: long })
  expect(decodeMessage(encodeSyncStep2(long))).toEqual({ type: 'syncStep2', update: long })
  expect(decodeMessage(encodeUpdate(long))).toEqual({ type: 'update', update: long })
  expect(decodeMessage(encodeAwareness(long))).toEqual({ type: 'awareness', payload: long })
  expect(decodeMessage(encodeAck(long))).toEqual({ type: 'ack', payload: long })
  expect(decodeMessage(encodeAnnounce())).toEqual({ type: 'announce' })
  expect(decodeMessage(encodeEditor(300))).toEqual({ type: 'editor', schemaVersion: 300 })
  for (const payload of ['', '\ufeffü', 'x'.repeat(ephemeralLimit.payloadBytes)]) {
    for (const clientIDs of [[], [2 ** 32 - 1], Array.from({ length: ephemeralLimit.clientIDs }, (_, id) => id)]) {
      expect(decodeMessage(encodeEphemeral(clientIDs, payload))).toEqual({ type: 'ephemeral', clientIDs, payload })
    }
  }
  for (const outcome of ['passedOn', 'tooFast', 'forbidden'] as const) {
    expect(decodeMessage(encodeReceipt(outcome))).toEqual({ type: 'receipt', outcome })
  }
  expect(decodeMessage(bytes('6f 01 09'))).toEqual({ type: 'receipt', outcome: null })
  expect(decodeMessage(encodeQueryAwareness())).toEqual({ type: 'queryAwareness' })
  expect(decodeMessage(encodeAccess('read-write'))).toEqual({ type: 'access', access: 'read-write' })
  expect(decodeMessage(encodeSaving('disk-full'))).toEqual({ type: 'saving', saving: 'disk-full' })
  expect(decodeMessage(encodeToken('a.b'))).toEqual({ type: 'token', token: 'a.b' })
  expect(decodeMessage(encodeLeave())).toEqual({ type: 'leave' })
  expect(decodeMessage(encodeClosed(1012, 'ü'))).toEqual({ type: 'closed', code: 1012, reason: 'ü' })
  expect(decodeMessage(encodePermissionDenied('ü'))).toEqual({ type: 'permissionDenied', reason: 'ü' })
})

it('reads a frame with an address', () => {
  const frame = Uint8Array.of(...encodeAddress('ü\0 1'), ...encodeAck(bytes('05')))
  const message = { type: 'ack', payload: bytes('05') }
  expect(decodeAddressedFrame(frame)).toEqual({ address: 'ü\0 1', message })
  expect(splitAddress(frame)).toEqual({ address: 'ü\0 1', begin: 6 })
  expect(decodeAddressedFrame(encodePing())).toEqual({ address: null, message: null })
  for (const broken of ['', '05 61', '01 ff 6e 00', '01 61', '80']) {
    expect(() => decodeAddressedFrame(broken === '' ? new Uint8Array() : bytes(broken))).toThrow(MalformedMessageError)
  }
  expect(() => splitAddress(Uint8Array.of(...encodeAddress('a'.repeat(321)), 0))).toThrow(MalformedMessageError)
})

it('knows that it does not know a type', () => {
  expect(decodeMessage(bytes('2a 01 02 03'))).toEqual({ type: 'unknown', messageType: 42 })
  expect(decodeMessage(bytes('70 01 78'))).toEqual({ type: 'unknown', messageType: 112 })
  expect(decodeMessage(bytes('73 01 78'))).toEqual({ type: 'unknown', messageType: 115 })
})

it.each([
  ['nothing', new Uint8Array()],
  ['a type that does not end', bytes('80 80')],
  ['no sync step', bytes('00')],
  ['an unknown sync step', bytes('00 03 00')],
  ['a buffer longer than the frame', bytes('00 02 05 00')],
  ['a buffer of 2^32 bytes', bytes('00 02 80 80 80 80 10 00')],
  ['bytes left over', bytes('00 02 01 00 00')],
  ['an auth message of another kind', bytes('02 01 00')],
  ['an ephemeral message that announces 2^32 client ids', bytes('6e 06 80 80 80 80 10 00')],
  ['an ephemeral message with too many client ids', encodeEphemeral(new Array(101).fill(1), '')],
  ['an ephemeral message without its payload', bytes('6e 01 00')],
  ['an ephemeral message with a byte after its payload', bytes('6e 03 00 00 00')],
  ['an ephemeral message that is not UTF-8', bytes('6e 03 00 01 ff')],
  ['an ephemeral message over its limit', encodeEphemeral([], 'x'.repeat(ephemeralLimit.payloadBytes + 1))],
  ['a receipt without an outcome', bytes('6f 00')],
  ['a token that is cut short', bytes('71 05 61')],
  ['the end of a session without its reason', bytes('72 05')],
])('refuses %s', (_what, frame) => {
  expect(() => decodeMessage(frame)).toThrow(MalformedMessageError)
})

it('reads and writes awareness payloads', () => {
  const entries = [
    { clientID: 2 ** 32 - 1, clock: 3, json: new TextEncoder().encode('{"a":"ü"}') },
    { clientID: 1, clock: 0, json: NULL_STATE },
  ]
  const payload = encodeAwarenessEntries(entries)
  expect(decodeAwareness(payload)).toEqual(entries)
  expect(decodeAwareness(payload).map(entry => isNullState(entry.json))).toEqual([false, true])
  expect(decodeAwareness(Uint8Array.of(0))).toEqual([])
  expect(decodeAwareness(payload, 1)).toEqual(entries.slice(1))
  expect(decodeAwareness(payload, 7)).toEqual([])
  for (let length = 0; length < payload.length; length++) {
    for (const only of [null, 1, 7]) {
      expect(() => decodeAwareness(payload.subarray(0, length), only)).toThrow(MalformedMessageError)
    }
  }
  expect(() => decodeAwareness(Uint8Array.of(...payload, 0), 7)).toThrow(MalformedMessageError)
})

it('has the limits and outcomes of PROTOCOL.md', () => {
  const text = readFileSync(new URL('../PROTOCOL.md', import.meta.url), 'utf8')
  const words = { passedOn: 'passed on', tooFast: 'too fast', forbidden: 'forbidden' }
  for (const [name, outcome] of Object.entries(receiptOutcome)) {
    expect(text).toContain(`${outcome}: ${words[name as keyof typeof words]}`)
  }
  const { clientIDs, payloadBytes } = ephemeralLimit
  expect(text).toContain(`at most ${clientIDs} ids, ${payloadBytes.toLocaleString('en')} bytes of payload`)
})
