import {
  decodeAddressedFrame,
  encodeAddress,
  encodeToken,
  encodeUpdate,
  hocuspocusType,
  MULTIPLEX_SUBPROTOCOL,
  splitAddress,
} from '@weft/protocol'
import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'
import { Random } from '../../crdt/Random.ts'
import type { Link } from './Link.ts'
import { AskingPage, CountingPage, type Page } from './Page.ts'
import type { PersonPlan } from './plan.ts'
import type { Scene } from './Scene.ts'
import type { TokenClaims } from './SimulatedAccess.ts'
import type { World } from './World.ts'

export type Dialect = 'y-websocket' | 'hocuspocus' | 'multiplex'

/** How long a token is good for, in virtual ms, where it isn't made short on purpose. */
const LONG_MS = 10 ** 9

/** An honest client with one connection, and one document open on it or several. */
export class Person {
  readonly world: World
  readonly scene: Scene
  readonly number: number
  readonly dialect: Dialect
  /** Hocuspocus' provider 2: it begins without auth, and adds to what it had counted before instead of forgetting it. */
  readonly isVersion2: boolean
  readonly echoes: boolean
  readonly pages: Page[]
  role: string
  readonly #random: Random
  readonly #delayMs: number
  #link: Link | null = null
  /** It wants to be connected. */
  isOnline = false
  #retryAt = 0
  #issuedAt = 0
  #expiresAt = LONG_MS
  /** It misses the moment at which its token must be renewed. */
  #isForgetful = false
  #hasChangedRole = false
  #hasShortened = false
  #isRevoked = false
  /** Addresses of Hocuspocus' sessions whose token was taken. */
  readonly #admitted = new Set<Page>()
  /** Until then a server may take it for dead: virtual ms. */
  slowUntil = 0
  /** Why the server closed its connections or sessions. */
  readonly closes: { code: number; reason: string }[] = []

  constructor(scene: Scene, number: number, plan: PersonPlan) {
    this.scene = scene
    this.world = scene.world
    this.number = number
    this.dialect = plan.dialect
    this.isVersion2 = plan.isVersion2 && !this.world.isAsking
    this.echoes = plan.dialect === 'y-websocket'
    this.role = plan.role
    this.#random = new Random(this.world.plan.seed ^ (number * 7919 + 13))
    this.#delayMs = plan.delayMs
    const PageOfDialect = plan.dialect === 'hocuspocus' ? CountingPage : AskingPage
    this.pages = plan.documents.map((documentId, index) => new PageOfDialect(this, documentId, index))
  }

  get user(): string {
    return `user ${this.number}`
  }

  get mayWrite(): boolean {
    return this.role !== 'viewer'
  }

  get isUp(): boolean {
    return this.#link?.isUp === true
  }

  get link(): Link | null {
    return this.#link
  }

  // ── Connection ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Called again and again: whoever wants to be connected tries. */
  live(): void {
    const now = this.world.clock.now()
    if (this.isOnline && this.#link === null && now >= this.#retryAt) this.#connect()
    for (const page of this.pages) page.renewAwareness()
    if (this.world.isAsking && this.isUp && !this.#isForgetful && this.#expiresAt - now < 1500) this.renewToken()
  }

  goOnline(): void {
    this.isOnline = true
    this.live()
  }

  goOffline(): void {
    if (this.isOnline) this.world.counters.add('went offline')
    this.isOnline = false
    this.#link?.leave()
    this.#lost()
  }

  /** The wire breaks; it comes back by itself. */
  cut(): void {
    if (this.#link === null) return
    this.world.counters.add('link cut')
    if (this.#link.cut()) this.world.counters.add('link cut inside a message')
    this.#lost()
    this.#backOff()
  }

  vanish(): void {
    if (this.#link === null) return
    this.world.counters.add('half-open')
    this.#link.vanish()
    this.#lost()
    this.#backOff()
  }

  stopReading(): void {
    if (this.#link === null) return
    this.world.counters.add('stopped reading')
    this.#link.stopReading()
    this.slowUntil = Number.POSITIVE_INFINITY
  }

  goOnReading(): void {
    this.#link?.goOnReading()
    this.slowUntil = 0
    this.#answersFrom(0)
  }

  slowDown(ms: number): void {
    this.#link?.delay(ms)
    this.#answersFrom(ms)
  }

  /** A server that asks whether anybody is there hears nothing before. */
  #answersFrom(ms: number): void {
    this.slowUntil = Math.max(this.slowUntil, this.world.clock.now() + ms + 5000)
  }

  #backOff(): void {
    this.#retryAt = this.world.clock.now() + 50 + this.#random.below(1500)
  }

  #lost(): void {
    this.#link = null
    this.#admitted.clear()
    for (const page of this.pages) page.lost()
  }

  token(): string {
    const claims: TokenClaims = {
      user: this.user,
      role: this.role,
      issuedAt: this.#issuedAt,
      expiresAt: this.#expiresAt,
    }
    return JSON.stringify(claims)
  }

  #connect(): void {
    const [first] = this.pages
    const path = this.dialect === 'y-websocket' ? `/${first?.documentId}` : '/'
    const isInUpgrade = this.world.isAsking && this.dialect === 'y-websocket'
    if (this.world.isAsking && this.#expiresAt <= this.world.clock.now()) this.#renewQuietly()
    const request = {
      address: `person ${this.number}`,
      path,
      protocol: this.dialect === 'multiplex' ? MULTIPLEX_SUBPROTOCOL : '',
      token: isInUpgrade ? this.token() : null,
    }
    const link = this.world.connect(request, this.#delayMs, {
      opened: () => {
        if (this.#link === link) this.#opened()
      },
      received: frame => {
        if (this.#link === link) this.#receive(frame)
      },
      lost: close => {
        if (this.#link !== link) return
        this.#lost()
        this.#backOff()
        if (close !== null) this.#closed(close.code, close.reason)
      },
    })
    this.#link = link
    if (link === null) this.#backOff()
    else this.scene.watch(link, this)
  }

  #opened(): void {
    for (const page of this.pages) this.#begin(page)
  }

  #begin(page: Page): void {
    switch (this.dialect) {
      case 'multiplex':
        this.#sendTo(page, encodeToken(this.world.isAsking ? this.token() : ''))
        page.join()
        page.announce()
        return
      case 'hocuspocus':
        // From version 3 on it waits for what becomes of its token.
        if (this.isVersion2) page.join()
        else this.#sendTo(page, this.#auth())
        return
      case 'y-websocket':
        page.join()
        return
    }
  }

  #auth(): Uint8Array {
    return encoding.encode(encoder => {
      encoding.writeVarUint(encoder, hocuspocusType.auth)
      encoding.writeVarUint(encoder, 0)
      encoding.writeVarString(encoder, this.world.isAsking ? this.token() : '')
      encoding.writeVarString(encoder, '4.8.0')
    })
  }

  say(page: Page, message: Uint8Array): void {
    if (this.dialect === 'y-websocket') this.#link?.send(message)
    else this.#sendTo(page, message)
  }

  #sendTo(page: Page, message: Uint8Array): void {
    this.#link?.send(Buffer.concat([encodeAddress(page.documentId), message]))
  }

  #pageAt(address: string | null): Page | undefined {
    return this.pages.find(({ documentId }) => documentId === address)
  }

  #receive(frame: Uint8Array): void {
    switch (this.dialect) {
      case 'y-websocket':
        this.pages[0]?.receive(frame)
        return
      case 'multiplex': {
        const { address, message } = decodeAddressedFrame(frame)
        const page = this.#pageAt(address)
        if (page === undefined || message === null) return
        if (message.type === 'closed') this.#sessionClosed(page, message.code, message.reason)
        else page.receive(frame.subarray(encodeAddress(page.documentId).length))
        return
      }
      case 'hocuspocus':
        this.#receiveHocuspocus(frame)
        return
    }
  }

  #receiveHocuspocus(frame: Uint8Array): void {
    const { address, begin } = splitAddress(frame)
    const page = this.#pageAt(address)
    if (!(page instanceof CountingPage)) return
    page.hears()
    const message = frame.subarray(begin)
    switch (message[0]) {
      case hocuspocusType.auth:
        if (message[1] === 2 && !this.#admitted.has(page)) {
          this.#admitted.add(page)
          page.join()
        } else if (message[1] === 1) this.#sessionClosed(page, 4401, Buffer.from(message.subarray(3)).toString())
        return
      case hocuspocusType.close:
        return
      case hocuspocusType.syncStatus:
        page.status(message[1] === 1)
        return
      case hocuspocusType.sync:
      case hocuspocusType.awareness:
        page.receive(message)
    }
  }

  // ── What it is told ───────────────────────────────────────────────────────────────────────────────────────────────

  /** An edit of it was refused: its copy has what nobody else ever gets, so it begins anew. */
  refused(page: Page): void {
    this.world.counters.add('edit refused')
    // What is damaged can only be read.
    const isReadOnly = this.world.ledger.book(page.documentId).isDamaged
    if (this.mayWrite && !this.#hasChangedRole && !isReadOnly)
      this.world.problem(`an edit of somebody who may write was refused in ${page.documentId}`)
    this.#link?.cut()
    this.#lost()
    this.#backOff()
    page.beginAnew()
  }

  #sessionClosed(page: Page, code: number, reason: string): void {
    page.lost()
    this.#admitted.delete(page)
    this.#closed(code, reason, page)
    if (this.dialect === 'multiplex' && this.#link !== null) {
      const link = this.#link
      this.world.clock.after(500, () => {
        if (this.#link === link && !page.isBegun) this.#begin(page)
      })
    } else {
      this.#link?.cut()
      this.#lost()
      this.#backOff()
    }
  }

  #closed(code: number, reason: string, page: Page | undefined = this.pages[0]): void {
    this.world.trace.lines?.push(
      `${this.world.clock.now().toFixed(2).padStart(9)} person ${this.number} is told ${code} ${reason}`,
    )
    if (/expired/.test(reason)) {
      this.world.counters.add('token expired')
      // Each session on a connection hears it.
      if (this.#hasShortened) {
        if (this.#expiresAt <= this.world.clock.now()) this.#renewQuietly()
        return
      }
    }
    if (/revoked/.test(reason) && this.#isRevoked) {
      this.#renewQuietly()
      return
    }
    if (/deleted/.test(reason) && page !== undefined && this.scene.isDeletable(page.documentId)) {
      // Nobody keeps a copy of what was thrown away; it may come again when the document is begun anew.
      page.beginAnew()
      return
    }
    this.closes.push({ code, reason })
    this.scene.honestWasClosed(this, code, reason)
  }

  // ── Tokens ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The administrator gives it another role. */
  giveToken(role: string): void {
    if (!this.world.isAsking) return
    if (role !== this.role) {
      this.world.counters.add('role changed')
      this.#hasChangedRole = true
    }
    this.role = role
    this.world.takenBack.lift(this.user)
    this.world.life?.recheck()
    this.#renewQuietly()
    this.#sendToken()
  }

  #renewQuietly(): void {
    this.#issuedAt = this.world.clock.now()
    this.#expiresAt = this.#issuedAt + LONG_MS
    this.#isForgetful = false
  }

  /** What it has counts no more, from this moment on: it is sent away, and gets another one. */
  revoke(): void {
    if (!this.world.isAsking) return
    this.world.counters.add('token revoked')
    this.#isRevoked = true
    this.world.takenBack.revoke(this.user, this.world.clock.now())
    this.world.life?.recheck()
  }

  /** From this moment on it may only read, in place. */
  shrink(): void {
    if (!this.world.isAsking || !this.mayWrite) return
    this.world.counters.add('role shrunk in place')
    this.role = 'viewer'
    this.#hasChangedRole = true
    this.world.takenBack.shrink(this.user)
    this.world.life?.recheck()
  }

  renewToken(): void {
    this.world.counters.add('token renewed')
    this.#renewQuietly()
    this.#sendToken()
  }

  /** It misses the moment at which its token must be renewed. */
  shortenToken(lifeMs: number): void {
    if (!this.world.isAsking) return
    this.#expiresAt = this.world.clock.now() + lifeMs
    this.#sendToken()
    this.#isForgetful = true
    this.#hasShortened = true
  }

  #sendToken(): void {
    if (this.#link === null) return
    if (!this.isUp || this.pages.some(page => !page.isBegun)) {
      // It began with the token of before: it begins once more.
      this.#link.cut()
      this.#lost()
      this.#backOff()
      return
    }
    for (const page of this.pages) {
      if (this.dialect === 'hocuspocus') this.#sendTo(page, this.#auth())
      else this.say(page, encodeToken(this.token()))
    }
  }

  /** Somebody who may only read sends an edit all the same: of a client of its own, so that it would be seen in the log. */
  writeAsReader(): void {
    const page = this.pages[0]
    if (this.mayWrite || page === undefined || !page.isBegun) return
    this.world.counters.add('reader wrote')
    const doc = new Y.Doc()
    doc.clientID = this.scene.forbiddenClient()
    doc.getText('text').insert(0, 'forbidden')
    this.say(page, encodeUpdate(Y.encodeStateAsUpdate(doc)))
  }
}
