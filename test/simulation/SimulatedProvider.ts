import { encodeSyncStep1, encodeSyncStep2, encodeUpdate, hocuspocusType, type Message } from '@weft/protocol'
import * as Y from 'yjs'
import type { Random } from '../crdt/Random.ts'
import { SimulatedClient } from './SimulatedClient.ts'
import type { LinkHost, SimulatedLink } from './SimulatedLink.ts'

/**
 * Counts unsynced changes as Hocuspocus' provider does (`HocuspocusProvider.unsyncedChanges`, versions 2.9, 3.4 and 4.8): when none
 * is left, everything in its document must be in the log.
 */
export class SimulatedProvider extends SimulatedClient {
  /** Version 2: it begins without auth, and adds to what it had counted before instead of forgetting it. */
  readonly isVersion2: boolean
  #unsynced = 0
  /** What was typed without a connection: sent once the server has said something. */
  #queue: Uint8Array[] = []
  #hasConnected = false
  #hasHeard = false

  constructor(
    name: number,
    isVersion2: boolean,
    connect: (host: LinkHost) => SimulatedLink | null,
    promised: (update: Uint8Array) => void,
  ) {
    super(name, connect, promised)
    this.isVersion2 = isVersion2
  }

  get hasUnsynced(): boolean {
    return this.#unsynced > 0
  }

  protected override begin(link: SimulatedLink): void {
    this.#hasConnected = true
    this.#hasHeard = false
    this.#unsynced = this.isVersion2 ? this.#unsynced + 1 : 1
    link.send(encodeSyncStep1(Y.encodeStateVector(this.doc)))
  }

  protected override wrote(update: Uint8Array): void {
    this.#unsynced++
    if (this.link?.isUp === true) this.link.send(encodeUpdate(update))
    else if (this.#hasConnected || !this.isVersion2) this.#queue.push(update)
  }

  protected override answer(update: Uint8Array): void {
    this.link?.send(encodeSyncStep2(update))
  }

  protected override hears(): void {
    if (this.#hasHeard) return
    this.#hasHeard = true
    for (const update of this.#queue.splice(0)) this.link?.send(encodeUpdate(update))
  }

  protected override heard(message: Message, frame: Uint8Array): void {
    if (message.type !== 'unknown' || message.messageType !== hocuspocusType.syncStatus) return
    if (frame[1] !== 1) throw new Error('an edit was refused')
    if (this.#unsynced === 0) throw new Error('more was paid than it had counted')
    this.#unsynced--
    if (this.#unsynced === 0) this.promised(Y.encodeStateAsUpdate(this.doc))
  }

  /** `forceSync`: 3 and 4 count anew (not here while something is unsynced: it may be paid a moment later), 2 doesn't count it. */
  protected override askAgain(): void {
    if (this.link?.isUp !== true || (this.#unsynced > 0 && !this.isVersion2)) return
    if (!this.isVersion2) this.#unsynced = 1
    this.link.send(encodeSyncStep1(Y.encodeStateVector(this.doc)))
  }

  protected override repeat(_random: Random): void {}

  override askAck(): void {}

  protected override forget(): void {
    this.#unsynced = 0
    this.#queue = []
    this.#hasConnected = false
  }
}
