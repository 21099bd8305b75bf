import {
  decodeAwareness,
  encodeAnnounce,
  encodeEphemeral,
  encodeStateless,
  encodeSyncStep2,
  type Message,
} from '@weft/protocol'
import { beforeAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { eventually } from '../support/eventually.ts'
import { NO_UPDATE, RawClient, updateOf } from '../support/RawClient.ts'
import { dialects, Speaker, type SpokenDialect } from '../support/Speaker.ts'
import { sharedServer } from '../support/testServer.ts'
import { sign } from '../support/tokens.ts'
import { typist } from '../support/typist.ts'
import { DOCUMENT, makeBearer, ownerToken, revoke, strictEnv } from './bearerToken.ts'
import { bearers, expected, sessionNeeds } from './matrix.ts'

type Action = keyof typeof sessionNeeds

const server = sharedServer(strictEnv)
const TEXT_AUTHOR = 3
const TEXT = 'x'.repeat(1000)
let nextClientID = 10_000
let nextDeleted = 0

/** Owners who hear what the others do, in the document and in its comments. */
let watcher: RawClient
let commentsWatcher: RawClient

beforeAll(async () => {
  watcher = await watch('')
  await watcher.commit(typist(TEXT_AUTHOR).type(TEXT))
  commentsWatcher = await watch('part=comments&')
})

async function watch(query: string): Promise<RawClient> {
  const client = await RawClient.connect(`${server().socketUrl}/${DOCUMENT}?${query}token=${await ownerToken()}`)
  client.ask()
  client.send(encodeAnnounce())
  client.send(encodeSyncStep2(NO_UPDATE))
  await client.next('syncStep2')
  return client
}

/** Joins, and lets happen what happens to this bearer's token then. */
async function join(dialect: SpokenDialect, name: string, isComments: boolean): Promise<Speaker> {
  const { token, taken } = await makeBearer(name)
  const address = isComments && dialect !== 'y-websocket' ? `${DOCUMENT}\u001fcomments` : DOCUMENT
  const path = isComments ? { path: `${DOCUMENT}?part=comments` } : {}
  const speaker = await Speaker.join(server(), dialect, address, token === '' ? null : token, path)
  await taken(server())
  const isEnding = name === 'a token that was revoked' || name === 'an editor whose token ends while connected'
  if (isEnding) await eventually('the end', () => speaker.ended !== null)
  return speaker
}

const heard = (client: RawClient, isIt: (message: Message) => boolean) => client.received.some(isIt)

/** Does it. @returns how it ended for who did it, as soon as that is known */
async function act(action: Action, speaker: Speaker): Promise<string> {
  const clientID = nextClientID++
  const { refusals } = speaker
  const isShown = () =>
    heard(
      watcher,
      message =>
        message.type === 'awareness' && decodeAwareness(message.payload).some(entry => entry.clientID === clientID),
    )
  const settle = async (done: () => boolean): Promise<string> => {
    await eventually(`an end of ${action}`, () => done() || speaker.refusals > refusals || speaker.ended !== null)
    if (speaker.ended !== null) return speaker.ended.split(':', 1)[0] ?? ''
    return done() ? 'may' : 'forbidden'
  }
  if (speaker.ended !== null) return settle(() => false)
  switch (action) {
    case 'read':
    case 'read comments':
      return settle(() => speaker.steps[1] === 1)
    case 'write':
    case 'write comments': {
      const client = action === 'write' ? watcher : commentsWatcher
      speaker.edit(typist(clientID).type('y'))
      return settle(() => heard(client, message => brings(message, clientID)))
    }
    case 'delete content': {
      const clock = nextDeleted++
      speaker.edit(deletion(clock))
      return settle(() => heard(watcher, message => deletes(message, clock)))
    }
    case 'show awareness':
      speaker.showState(clientID, 1, { here: true })
      return settle(isShown)
    case 'send ephemeral messages': {
      const payload = `from ${clientID}`
      speaker.say(speaker.dialect === 'hocuspocus' ? encodeStateless(payload) : encodeEphemeral([], payload))
      // What follows it, and is everybody's.
      speaker.showState(clientID, 1, { here: true })
      const outcome = await settle(isShown)
      const isPassedOn = heard(watcher, message => message.type === 'ephemeral' && message.payload === payload)
      return outcome === 'may' && !isPassedOn ? 'forbidden' : outcome
    }
  }
}

function brings(message: Message, clientID: number): boolean {
  const update = updateOf(message)
  return update !== null && Y.decodeUpdate(update).structs.some(({ id }) => id.client === clientID)
}

/** One letter of the document's text. */
function deletion(clock: number): Uint8Array {
  return Uint8Array.of(0, 1, TEXT_AUTHOR, 1, ...varUint(clock), 1)
}

function deletes(message: Message, clock: number): boolean {
  const update = updateOf(message)
  const items = update === null ? [] : (Y.decodeUpdate(update).ds.clients.get(TEXT_AUTHOR) ?? [])
  return items.some(item => item.clock <= clock && clock < item.clock + item.len)
}

function varUint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varUint(value >> 7)]
}

describe.each(dialects)('in the dialect %s', dialect => {
  it.each(Object.entries(bearers))(
    '[threat P3] %s may do in a session what the matrix says',
    async (name, standing) => {
      const outcomes: Record<string, string> = {}
      const wanted: Record<string, string> = {}
      const tryIt = async (action: Action) => {
        const speaker = await join(dialect, name, action.endsWith('comments'))
        outcomes[action] = await act(action, speaker)
        wanted[action] = expected(sessionNeeds[action], standing)
        speaker.cut()
      }
      // At once: the end of a token takes a while.
      await Promise.all((Object.keys(sessionNeeds) as Action[]).map(tryIt))
      expect({ name, dialect, ...outcomes }).toEqual({ name, dialect, ...wanted })
    },
  )

  it('[threat P3] a role that shrinks while somebody is connected counts from then on, and is told', async () => {
    const sub = `shrinking in ${dialect}`
    const token = await sign({
      sub,
      iss: strictEnv.WEFT_AUTH_ISSUER,
      aud: strictEnv.WEFT_AUTH_AUDIENCE,
      docs: [{ prefix: '', role: 'editor' }],
    })
    const speaker = await Speaker.join(server(), dialect, DOCUMENT, token)
    const [before, after] = [nextClientID++, nextClientID++]
    const isHeard = (clientID: number) => heard(watcher, message => brings(message, clientID))
    speaker.edit(typist(before).type('before'))
    await eventually('the edit', () => isHeard(before))
    await revoke(server(), { user: sub, role: 'commenter' })
    await eventually('it to be told', () => speaker.accesses.at(-1) === 'read-only')
    speaker.edit(typist(after).type('after'))
    await eventually('a refusal', () => speaker.refusals > 0)
    expect([speaker.ended, isHeard(after)]).toEqual([null, false])
    await revoke(server(), { user: sub })
    await eventually('the end', () => speaker.ended?.startsWith('unauthorized: ') === true)
  })
})
