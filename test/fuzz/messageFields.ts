import {
  hocuspocusAuth,
  hocuspocusType,
  messageType,
  receiptOutcome,
  syncStep,
} from '../../packages/protocol/src/message.ts'
import type { Random } from '../crdt/Random.ts'
import { buffer, type Field, list, raw, text, uint } from './fields.ts'
import type { Material } from './Material.ts'

export type DialectName = 'y-websocket' | 'hocuspocus' | 'multiplex'

/** What a stranger knows when it speaks. */
export interface Speaker {
  readonly random: Random
  readonly material: Material
  /** Of its awareness. */
  readonly clientID: number
  /** Client ids of the others in its document. */
  readonly others: readonly number[]
  /** That the server takes, and that it doesn't. */
  readonly tokens: readonly string[]
  /** Where it has a session, or would like to have one. */
  readonly addresses: readonly string[]
}

type Maker = (speaker: Speaker, isMutated: boolean) => Field[]

const sync = (step: number, bytes: Uint8Array): Field[] => [uint(messageType.sync), uint(step), buffer(raw(bytes))]

const NO_UPDATE = Uint8Array.of(0, 0)
const STATES = [
  '{"user":{"name":"Eve","color":"#f00"},"cursor":null}',
  '{"clock":1}',
  '{}',
  'null',
  '[]',
  '"text"',
  '{"a":',
  `${'{"a":'.repeat(20)}1${'}'.repeat(20)}`,
  `{"large":"${'x'.repeat(5000)}"}`,
  '{"__proto__":{"a":1}}',
]

const shared = {
  step1: ({ material, random }) => [
    uint(messageType.sync),
    uint(syncStep.step1),
    buffer(
      list(
        ...[...material.stateVector()]
          .filter(() => random.chance(0.7))
          .map(([clientID, clock]) => [uint(clientID), uint(clock)]),
      ),
    ),
  ],
  // Most who come bring nothing.
  step2: ({ material, random }, isMutated) =>
    sync(syncStep.step2, isMutated || random.chance(0.2) ? material.update(isMutated) : NO_UPDATE),
  update: ({ material }, isMutated) => sync(syncStep.update, material.update(isMutated)),
  awareness: ({ random, clientID, others }) => {
    const ids = random.chance(0.7)
      ? [clientID]
      : [random.pick([clientID, ...others]), random.pick([clientID, ...others])]
    const entry = (id: number) => [uint(id), uint(random.below(20)), text(random.pick(STATES))]
    return [uint(messageType.awareness), buffer(list(...ids.map(entry)))]
  },
  queryAwareness: () => [uint(messageType.queryAwareness)],
  unknown: ({ random }) => [uint(random.pick([4, 6, 11, 64, 101, 103, 109, 115, 300, 2 ** 32])), raw(bytesOf(random))],
} satisfies Record<string, Maker>

const own = {
  ...shared,
  permissionDenied: () => [uint(messageType.auth), uint(0), text('forbidden: no')],
  ack: ({ random }) => [uint(messageType.ack), buffer(raw(bytesOf(random)))],
  announce: () => [uint(messageType.ephemeral), buffer()],
  ephemeral: ({ random, others }) => [
    uint(messageType.ephemeral),
    buffer(
      list(...others.filter(() => random.chance(0.3)).map(id => [uint(id)])),
      text(random.chance(0.02) ? 'x'.repeat(16_385) : 'hello'),
    ),
  ],
  receipt: () => [uint(messageType.receipt), buffer(uint(receiptOutcome.tooFast))],
  access: ({ random }) => [uint(messageType.access), text(random.pick(['read-write', 'read-only', 'all']))],
  editor: ({ random }) => [uint(messageType.editor), uint(random.pick([0, 1, 1, 1, 2, 300]))],
  token: ({ random, tokens }) => [uint(messageType.token), text(random.pick(tokens))],
  leave: () => [uint(messageType.closed)],
  closed: () => [uint(messageType.closed), uint(4403), text('forbidden: no')],
} satisfies Record<string, Maker>

const hocuspocus = {
  ...shared,
  token: ({ random, tokens }) => [
    uint(hocuspocusType.auth),
    uint(hocuspocusAuth.token),
    text(random.pick(tokens)),
    ...(random.chance(0.5) ? [text('4.8.0')] : []),
  ],
  denied: () => [uint(hocuspocusType.auth), uint(hocuspocusAuth.denied), text('no')],
  stateless: ({ random }) => [uint(hocuspocusType.stateless), text(random.chance(0.02) ? 'x'.repeat(16_385) : 'hello')],
  broadcastStateless: () => [uint(6), text('hello')],
  leave: () => [uint(hocuspocusType.close)],
  syncStatus: () => [uint(hocuspocusType.syncStatus), uint(1)],
  syncReply: ({ material }, isMutated) => [uint(4), uint(syncStep.step2), buffer(raw(material.update(isMutated)))],
} satisfies Record<string, Maker>

/** Frames that have no address. */
const bare: Record<DialectName, Record<string, readonly number[]>> = {
  'y-websocket': {},
  hocuspocus: { ping: [hocuspocusType.ping], pong: [hocuspocusType.pong] },
  multiplex: { ping: [0] },
}

const makers: Record<DialectName, Record<string, Maker>> = {
  'y-websocket': own,
  hocuspocus,
  multiplex: own,
}

/** The names of all messages of a dialect. */
export function messageNames(dialect: DialectName): string[] {
  return [...Object.keys(makers[dialect]), ...Object.keys(bare[dialect])]
}

/** A message as it should be, taken apart. */
export function messageFields(dialect: DialectName, name: string, speaker: Speaker, isMutated: boolean): Field[] {
  const withoutAddress = bare[dialect][name]
  if (withoutAddress !== undefined) return [raw(Uint8Array.from(withoutAddress))]
  const maker = makers[dialect][name]
  if (maker === undefined) throw new RangeError(`${dialect} has no message ${name}`)
  const fields = maker(speaker, isMutated)
  return dialect === 'y-websocket' ? fields : [text(speaker.random.pick(speaker.addresses)), ...fields]
}

function bytesOf(random: Random): Uint8Array {
  const length = random.chance(0.03) ? 257 : random.below(6)
  return Uint8Array.from({ length }, () => random.below(256))
}
