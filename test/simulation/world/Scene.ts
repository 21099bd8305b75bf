import type { DocumentId } from '@weft/protocol'
import { splitAddress } from '@weft/protocol'
import { Random } from '../../crdt/Random.ts'
import { type ServerLife, settings } from './Life.ts'
import type { Link } from './Link.ts'
import { Person } from './Person.ts'
import { type Action, dooms } from './plan.ts'
import { FORGERY, Stranger } from './Stranger.ts'
import type { World } from './World.ts'

const LIVE_MS = 200

/** Everybody who takes part, and what happens to them and to the server. */
export class Scene {
  readonly world: World
  readonly people: Person[]
  readonly strangers: Stranger[]
  /** Honest clients' ids: from, to. */
  readonly #honest: [number, number][] = []
  /** Whom a stranger spoke for while they were not there, where nobody is asked who they are. */
  readonly #stolen = new Set<number>()
  #forbiddenCount = 0
  #isOver = false

  constructor(world: World) {
    this.world = world
    const { plan } = world
    this.people = plan.people.map((person, number) => new Person(this, number, person))
    this.strangers = Array.from(
      { length: plan.strangers },
      (_, number) => new Stranger(this, number, plan.documents[0] ?? ('one' as DocumentId)),
    )
  }

  begin(): void {
    this.world.start()
    for (const person of this.people) person.goOnline()
    this.#live()
    for (const action of this.world.plan.actions) this.world.clock.after(action.at, () => this.#do(action))
  }

  #live(): void {
    this.world.clock.after(LIVE_MS, () => {
      for (const person of this.people) person.live()
      this.world.checkMemory(settings.maxPendingBytes)
      this.#live()
    })
  }

  // ── Who is who ────────────────────────────────────────────────────────────────────────────────────────────────────

  introduce(clientID: number, count: number): void {
    this.#honest.push([clientID, clientID + count])
  }

  isHonest(clientID: number): boolean {
    return this.#honest.some(([from, to]) => clientID >= from && clientID < to)
  }

  someHonestClient(random: Random): number {
    const here = this.people.flatMap(({ pages }) => pages.filter(({ isSynced }) => isSynced))
    return here.length > 0 ? random.pick(here).clientID : 1
  }

  /** A state that a stranger made, under a client's id whose page is there. */
  isForged(documentId: DocumentId, clientID: number, json: Uint8Array): boolean {
    if (Buffer.from(json).toString() !== FORGERY || !this.isHonest(clientID)) return false
    const isThere = this.people.some(
      // As the server sees it: it may have lost somebody whose link is slow.
      ({ pages, link, slowUntil }) =>
        link?.webSocket.readyState === 1 &&
        this.#isServed(link, documentId) &&
        this.world.clock.now() > slowUntil &&
        pages.some(
          page =>
            page.documentId === documentId &&
            page.clientID === clientID &&
            page.joinedAt !== null &&
            this.world.clock.now() - page.joinedAt > 3000,
        ),
    )
    if (!isThere) this.#stolen.add(clientID)
    return isThere && !this.#stolen.has(clientID)
  }

  /** A Hocuspocus socket whose session was ended stays for a while without it. */
  #isServed({ request }: Link, documentId: DocumentId): boolean {
    const sessions = this.world.life?.rooms?.sessions() ?? []
    return [...sessions].some(
      session => session.documentId === documentId && session.outlet.address === request.address,
    )
  }

  forbiddenClient(): number {
    const clientID = 800_000_000 + ++this.#forbiddenCount
    this.world.ledger.forbiddenClients.add(clientID)
    return clientID
  }

  strangersToken(number: number): string {
    return JSON.stringify({ user: `stranger ${number}`, role: 'viewer', issuedAt: 0, expiresAt: 10 ** 9 })
  }

  isDeletable(documentId: DocumentId): boolean {
    return this.world.plan.deletable.includes(documentId)
  }

  honestWasClosed(person: Person, code: number, reason: string): void {
    const isExcused =
      // The server stops; it is overloaded, or they read too slowly.
      code === 1012 ||
      code === 1013 ||
      (code === 1011 && this.world.hasFaults) ||
      (code === 1008 && /its client is back on another connection|comes more slowly|no message came/.test(reason))
    if (!isExcused) this.world.problem(`honest person ${person.number} is told ${code} ${reason}`)
  }

  /** Looks at all that the server writes to an honest client. */
  watch(link: Link, person: Person): void {
    const { world } = this
    link.onWritten = message => {
      const { address, begin } =
        person.dialect === 'y-websocket' ? { address: person.pages[0]?.documentId, begin: 0 } : addressOf(message)
      if (address === undefined || message[begin] !== 0 || (message[begin + 1] !== 1 && message[begin + 1] !== 2))
        return
      const page = person.pages.find(({ documentId }) => documentId === address)
      if (page === undefined || this.isDeletable(page.documentId)) return
      world.sent(page.documentId, world.ledger.book(page.documentId).era, bodyOf(message, begin + 2))
    }
  }

  // ── What happens ──────────────────────────────────────────────────────────────────────────────────────────────────

  #do(action: Action): void {
    if (this.#isOver) return
    const { world } = this
    const random = new Random(action.seed)
    const { disk, clock } = world
    const end = (run: () => void) => clock.after(action.amount, () => !this.#isOver && run())
    world.trace.add(clock.now(), action.what, action.who)
    switch (action.what) {
      case 'kill':
        world.hasFaults = true
        world.kill(false, action.amount % 1000)
        return
      case 'power cut':
        world.hasFaults = true
        world.kill(true, action.amount % 1000)
        return
      case 'kill at load':
      case 'kill at commit':
      case 'kill at compaction':
      case 'kill at unload':
        world.hasFaults = true
        world.doom = {
          moment: dooms[action.what] ?? 'commit',
          steps: random.below(30),
          isPowerCut: random.chance(0.5),
        }
        return
      case 'pause process':
        world.hasStalled = true
        world.counters.add('paused process')
        world.life?.pause(action.amount)
        return
      case 'restart':
        world.restart(action.amount % 500)
        return
      case 'fail write':
      case 'fail fsync':
      case 'fail read':
        world.hasFaults = true
        disk.failCall(
          action.what === 'fail write' ? 'write' : action.what === 'fail fsync' ? 'fsync' : 'read',
          1 + random.below(4),
        )
        return
      case 'full disk':
        world.hasFaults = true
        disk.isFull = true
        end(() => {
          disk.isFull = false
        })
        return
      case 'slow disk':
        world.hasStalled = true
        world.counters.add('slow fsync')
        disk.slownessMs = random.pick([30, 400])
        end(() => {
          disk.slownessMs = 4
        })
        return
      case 'stall disk':
        world.hasStalled = true
        disk.stalledUntil = clock.now() + action.amount
        return
      case 'flip bit': {
        const key = disk.flipBit(random, 0x64)
        if (key === null) return
        world.hasFaults = true
        world.ledger.damaged(key)
        return
      }
      case 'fail workers':
        world.hasFaults = true
        this.#failWorkers(0.3)
        end(() => this.#failWorkers(0))
        return
      case 'all leave':
        world.counters.add('all left')
        for (const person of this.people) person.goOffline()
        end(() => {
          for (const person of this.people) person.goOnline()
        })
        return
      case 'delete document':
      case 'put into the bin':
      case 'restore':
      case 'begin anew':
        this.#administer(action)
        return
      case 'malformed update':
      case 'gap':
      case 'flood':
      case 'forged awareness':
      case 'garbage':
      case 'giant awareness':
      case 'foreign client id':
        this.strangers[action.who]?.act(action.what, random)
        return
      default: {
        const person = this.people[action.who]
        if (person !== undefined) this.#actAs(person, action, random, end)
      }
    }
  }

  #actAs(person: Person, action: Action, random: Random, end: (run: () => void) => void): void {
    const page = random.pick(person.pages)
    switch (action.what) {
      case 'edit':
        if (person.mayWrite) page.edit(random)
        return
      case 'paste':
        if (person.mayWrite) page.paste(random)
        return
      case 'go offline':
        person.goOffline()
        end(() => person.goOnline())
        return
      case 'new tab':
        person.goOffline()
        page.begin(random)
        person.goOnline()
        return
      case 'ask ack':
        page.askAck()
        return
      case 'ask again':
        page.askAgain(random)
        return
      case 'say again':
        if (person.mayWrite) page.sayAgain(random)
        return
      case 'stop reading':
        person.stopReading()
        end(() => person.goOnReading())
        return
      case 'cut':
        person.cut()
        return
      case 'half-open':
        person.vanish()
        return
      case 'slow link':
        this.world.counters.add('slow link')
        person.slowDown(action.amount)
        return
      case 'write as reader':
        person.writeAsReader()
        return
      case 'change role':
        person.giveToken(person.mayWrite ? 'viewer' : 'editor')
        if (!person.mayWrite) this.world.clock.after(200, () => person.writeAsReader())
        return
      case 'revoke':
        person.revoke()
        return
      case 'shrink role':
        person.shrink()
        this.world.clock.after(200, () => person.writeAsReader())
        return
      case 'short token':
        person.shortenToken(500 + random.below(3000))
        return
      case 'renew token':
        person.renewToken()
        return
      default:
        throw new TypeError(`nobody knows how to ${action.what}`)
    }
  }

  #failWorkers(rate: number): void {
    this.world.workerFailureRate = rate
    const workshop = this.world.life?.workshop
    if (workshop != null) workshop.failureRate = rate
  }

  #administer({ what, who }: Action): void {
    const { life, counters, plan } = this.world
    const documentId = plan.deletable[who]
    if (documentId === undefined || life === null || !life.isUp) return
    const [count, done] = administer(life, what, documentId)
    done
      .then(() => counters.add(count))
      .catch(error => {
        // A stop ends what waits for a disk that doesn't answer, and says so.
        if (life.isUp && !this.world.hasFaults) this.world.problem(`${what} failed: ${error?.stack ?? error}`)
      })
  }

  /** All faults end, strangers leave, and everybody comes back. */
  endFaults(): void {
    this.#isOver = true
    const { world } = this
    world.disk.clearFailures()
    world.doom = null
    this.#failWorkers(0)
    world.start()
    for (const stranger of this.strangers) stranger.leave()
    for (const documentId of world.plan.deletable) {
      // The server may still be starting.
      for (const waitMs of [0, 5000])
        world.clock.after(waitMs, () => void world.life?.beginAnew(documentId).catch(() => {}))
    }
    for (const person of this.people) {
      person.goOnReading()
      person.goOnline()
    }
  }
}

function administer(life: ServerLife, what: Action['what'], documentId: DocumentId): [string, Promise<void>] {
  switch (what) {
    case 'begin anew':
      return ['document begun anew', life.beginAnew(documentId)]
    case 'restore':
      return ['document restored', life.restore(documentId)]
    case 'put into the bin':
      return ['document put into the bin', life.deleteDocument(documentId, false)]
    default:
      return ['document deleted', life.deleteDocument(documentId, true)]
  }
}

function addressOf(message: Uint8Array): { address: string; begin: number } {
  return splitAddress(message)
}

/** A buffer after its length. */
function bodyOf(message: Uint8Array, at: number): Uint8Array {
  let begin = at
  while ((message[begin] ?? 0) >= 128) begin++
  return message.subarray(begin + 1)
}
