import { connect } from '@weft/client'
import { decodeAwareness, encodeAwareness, encodeAwarenessEntries } from '@weft/protocol'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { eventually } from './support/eventually.ts'
import { LinkProxy } from './support/LinkProxy.ts'
import { RawClient } from './support/RawClient.ts'
import { sharedServer, testServer } from './support/testServer.ts'
import { typist } from './support/typist.ts'

interface Heard {
  clientID: number
  clock: number
  state: unknown
}

/** Waits for an awareness message about a client. */
async function hear(
  client: RawClient,
  clientID: number,
  accept: (heard: Heard) => boolean = () => true,
): Promise<Heard> {
  let found: Heard | undefined
  await client.next('awareness', ({ payload }) => {
    found = read(payload).find(heard => heard.clientID === clientID && accept(heard))
    return found !== undefined
  })
  return found as Heard
}

function read(payload: Uint8Array): Heard[] {
  return decodeAwareness(payload).map(({ clientID, clock, json }) => ({
    clientID,
    clock,
    state: JSON.parse(new TextDecoder().decode(json)),
  }))
}

const ids = (client: RawClient) =>
  client.received.flatMap(message =>
    message.type === 'awareness' ? read(message.payload).map(heard => heard.clientID) : [],
  )

const running = sharedServer()
let documents = 0
/** A document for each test. */
let name = ''
beforeEach(() => {
  name = `test-${++documents}`
})

describe('an awareness state', () => {
  it('goes to everybody in the document, its sender included, and to nobody elsewhere', async () => {
    const server = running()
    const [ann, bo] = await Promise.all([1, 2].map(() => RawClient.join(`${server.socketUrl}/${name}`)))
    const elsewhere = await RawClient.join(`${server.socketUrl}/b`)
    if (ann === undefined || bo === undefined) throw new Error('no clients')
    ann.awareness(11, 1, { name: 'Ann' })
    const wanted = { clientID: 11, clock: 1, state: { name: 'Ann' } }
    expect(await hear(ann, 11)).toEqual(wanted)
    expect(await hear(bo, 11)).toEqual(wanted)
    await elsewhere.commit(typist(1).type('x'))
    expect(ids(elsewhere)).toEqual([])
  })

  it('is told to whoever joins later, and to whoever asks', async () => {
    const server = running()
    const ann = await RawClient.join(`${server.socketUrl}/${name}`)
    ann.awareness(11, 4, { name: 'Ann' })
    await hear(ann, 11)
    const bo = await RawClient.connect(`${server.socketUrl}/${name}`)
    bo.ask()
    expect(await hear(bo, 11)).toEqual({ clientID: 11, clock: 4, state: { name: 'Ann' } })
    bo.send(Uint8Array.of(3))
    expect((await hear(bo, 11)).clock).toBe(4)
  })

  it.each(['leave', 'cut'] as const)(
    '[threat K1] [threat A1] disappears when its connection ends (%s), with its own clock',
    async way => {
      const server = running()
      const ann = await RawClient.join(`${server.socketUrl}/${name}`)
      const bo = await RawClient.join(`${server.socketUrl}/${name}`)
      ann.awareness(11, 6, { name: 'Ann' })
      await hear(bo, 11)
      if (way === 'leave') await ann.leave()
      else ann.cut()
      expect(await hear(bo, 11)).toEqual({ clientID: 11, clock: 6, state: null })
      const late = await RawClient.join(`${server.socketUrl}/${name}`)
      late.awareness(13, 1, {})
      await hear(late, 13)
      expect(ids(late)).toEqual([13])
    },
  )

  it('is withdrawn by its client', async () => {
    const server = running()
    const ann = await RawClient.join(`${server.socketUrl}/${name}`)
    const bo = await RawClient.join(`${server.socketUrl}/${name}`)
    ann.awareness(11, 1, { name: 'Ann' })
    await hear(bo, 11)
    ann.awareness(11, 2, null)
    expect((await hear(bo, 11)).state).toBeNull()
    ann.awareness(11, 3, { name: 'Ann again' })
    expect((await hear(bo, 11)).state).toEqual({ name: 'Ann again' })
  })

  it('of a client that returns with the clock it had is heard by the others, and its echo keeps its own clock', async () => {
    const server = running()
    const bo = await RawClient.join(`${server.socketUrl}/${name}`)
    const first = await RawClient.join(`${server.socketUrl}/${name}`)
    first.awareness(11, 6, { name: 'Ann' })
    await hear(bo, 11)
    first.cut()
    const { clock: goneAt } = await hear(bo, 11, heard => heard.state === null)
    const again = await RawClient.join(`${server.socketUrl}/${name}`)
    again.awareness(11, 6, { name: 'Ann is back' })
    const heard = await hear(bo, 11)
    expect(heard.state).toEqual({ name: 'Ann is back' })
    // y-protocols takes a state whose clock is greater than the one it heard last.
    expect(heard.clock).toBeGreaterThan(goneAt)
    // A clock above its own would overwrite its newer state.
    expect((await hear(again, 11)).clock).toBe(6)
    again.awareness(11, 7, { name: 'Ann types' })
    expect((await hear(bo, 11)).clock).toBeGreaterThan(heard.clock)
    expect((await hear(again, 11)).clock).toBe(7)
  })

  it('[threat A1] of others that a stock client echoes is dropped, and so is every attempt to speak for them', async () => {
    const server = running()
    const ann = await RawClient.join(`${server.socketUrl}/${name}`)
    const bo = await RawClient.join(`${server.socketUrl}/${name}`)
    const witness = await RawClient.join(`${server.socketUrl}/${name}`)
    ann.awareness(11, 5, { name: 'Ann' })
    await hear(bo, 11)
    bo.awareness(12, 1, { name: 'Bo' })
    await hear(witness, 12)
    // An echo, a later clock, a removal.
    bo.awareness(11, 5, { name: 'Ann' })
    bo.awareness(11, 9, { name: 'Not Ann' })
    bo.awareness(11, 9, null)
    // Several at once, the own one among them: only that one counts.
    const json = (state: unknown) => new TextEncoder().encode(JSON.stringify(state))
    bo.send(
      encodeAwareness(
        encodeAwarenessEntries([
          { clientID: 11, clock: 20, json: json(null) },
          { clientID: 12, clock: 2, json: json({ name: 'Bo types' }) },
          { clientID: 77, clock: 1, json: json({ name: 'invented' }) },
        ]),
      ),
    )
    expect((await hear(witness, 12, heard => heard.clock === 2)).state).toEqual({ name: 'Bo types' })
    ann.awareness(11, 6, { name: 'Ann types' })
    expect((await hear(witness, 11, heard => heard.clock > 5)).state).toEqual({ name: 'Ann types' })
    expect(ids(witness)).toEqual([11, 12, 12, 11])
    expect([ann.isOpen, bo.isOpen]).toEqual([true, true])
  })

  it('over 4 KiB is refused, one just below it is not', async () => {
    const server = running()
    const witness = await RawClient.join(`${server.socketUrl}/${name}`)
    const fits = await RawClient.join(`${server.socketUrl}/${name}`)
    fits.awareness(11, 1, { a: 'x'.repeat(4096 - 8) })
    await hear(witness, 11)
    const tooLarge = await RawClient.join(`${server.socketUrl}/${name}`)
    tooLarge.awareness(12, 1, { a: 'x'.repeat(4096 - 7) })
    expect(await tooLarge.closed).toEqual({ code: 1007, reason: expect.stringContaining('4096') })
    fits.awareness(11, 2, {})
    await hear(witness, 11)
    expect(ids(witness)).toEqual([11, 11])
  })

  it('[threat A1] moves to a new connection of its client when the old one is dead without having said so', async () => {
    const server = running()
    const link = await LinkProxy.start(server.port)
    onTestFinished(() => link.stop())
    const witness = await RawClient.join(`${server.socketUrl}/${name}`)
    const old = await RawClient.join(`${link.socketUrl}/${name}`)
    old.awareness(11, 3, { name: 'Ann' })
    await hear(witness, 11)
    link.stall('toServer')
    const again = await RawClient.join(`${server.socketUrl}/${name}`)
    again.awareness(11, 4, { name: 'Ann, elsewhere' })
    // The old one is asked first: it has 2 s to answer.
    expect((await hear(witness, 11, heard => heard.state !== null && heard.clock >= 4)).state).toEqual({
      name: 'Ann, elsewhere',
    })
    again.awareness(11, 5, { name: 'Ann types' })
    expect((await hear(witness, 11, heard => heard.clock > 4)).state).toEqual({ name: 'Ann types' })
    old.cut()
  })

  it('[threat A1] stays with the connection that introduced it as long as that one answers', async () => {
    const server = running()
    const witness = await RawClient.join(`${server.socketUrl}/${name}`)
    const ann = await RawClient.join(`${server.socketUrl}/${name}`)
    ann.awareness(11, 3, { name: 'Ann' })
    await hear(witness, 11)
    const thief = await RawClient.join(`${server.socketUrl}/${name}`)
    thief.awareness(11, 9, { name: 'not Ann' })
    // Answered pings come before this.
    await thief.commit(typist(1).type('x'))
    ann.awareness(11, 4, { name: 'Ann types' })
    expect((await hear(witness, 11)).state).toEqual({ name: 'Ann types' })
    expect(ann.isOpen).toBe(true)
  })

  it('whose successor says nonsense harms nobody', async () => {
    const server = running()
    const link = await LinkProxy.start(server.port)
    onTestFinished(() => link.stop())
    const witness = await RawClient.join(`${server.socketUrl}/${name}`)
    const old = await RawClient.join(`${link.socketUrl}/${name}`)
    old.awareness(11, 3, { name: 'Ann' })
    await hear(witness, 11)
    link.stall('toServer')
    const again = await RawClient.join(`${server.socketUrl}/${name}`)
    again.awareness(11, 4, 'no JSON')
    // The old one is asked, doesn't answer in time, and is gone.
    expect((await hear(witness, 11)).state).toBeNull()
    again.awareness(11, 5, { name: 'Ann, elsewhere' })
    expect((await hear(witness, 11)).state).toEqual({ name: 'Ann, elsewhere' })
    old.cut()
  })

  it('that is asked for again and again by one who does not read is sent once it reads', async () => {
    const server = await testServer({ WEFT_MAX_UNSENT_BYTES: '65536', WEFT_MAX_AWARENESS_BYTES: '1048576' })
    const ann = await RawClient.join(`${server.socketUrl}/a`)
    const state = { a: 'x'.repeat(500_000) }
    ann.awareness(11, 1, state)
    await hear(ann, 11)
    const bo = await RawClient.join(`${server.socketUrl}/a`)
    bo.stopReading()
    for (let i = 0; i < 1000; i++) bo.send(Uint8Array.of(3))
    await ann.commit(typist(1).type('x'))
    const before = bo.received.length
    bo.askAck(7)
    bo.goOnReading()
    await bo.nextAck(7)
    expect(bo.received.slice(before).filter(({ type }) => type === 'awareness').length).toBeLessThan(100)
    expect((await hear(bo, 11)).state).toEqual(state)
  })
})

describe('after a restart of the server', () => {
  it('people see each other as soon as both are back, not only when their states are renewed', async () => {
    const server = await testServer()
    const people = await Promise.all(
      ['Ann', 'Bo'].map(name => connect(`${server.socketUrl}/a`, { awareness: { name } })),
    )
    onTestFinished(async () => {
      for (const person of people) await person.close({ saved: false })
    })
    // y-protocols' own renewal, which would hide that nobody is seen until it comes.
    for (const { awareness } of people) clearInterval(awareness._checkInterval)
    const all = () => people.every(({ awareness }) => awareness.getStates().size === 2)
    await eventually('both to see both', all)
    await server.kill()
    await eventually('both to be alone', () => people.every(({ awareness }) => awareness.getStates().size === 1))
    await server.start()
    await eventually('both to see both again', all)
  })
})
