import {
  closeReason,
  encodeAccess,
  encodeAuthenticated,
  encodeEditor,
  encodePermissionDenied,
  encodeSaving,
  encodeSize,
  encodeSyncStatus,
  type SavingName,
} from '@weft/protocol'
import { SCHEMA_VERSION } from '@weft/schema/version'
import { encodeFrame } from './encodeFrame.ts'
import type { Member } from './Member.ts'
import type { Room } from './Room.ts'

/** What a Hocuspocus provider is told of an edit that was not taken. */
export const REFUSED_STATUS = encodeFrame(encodeSyncStatus(false))
const READ_ONLY = encodeFrame(
  encodePermissionDenied(closeReason('forbidden', 'you may read this document, and not write in it')),
)
const SCHEMA = encodeFrame(encodeEditor(SCHEMA_VERSION))
const OUTDATED = encodeFrame(
  encodePermissionDenied(
    closeReason('forbidden', 'this editor is older than the server, and may only show this document'),
  ),
)
/** Why nobody's edits are taken. */
const READ_ONLY_REASONS: Readonly<Record<SavingName, string>> = {
  saving: 'this document can only be read now',
  'saving-failing': 'this document can only be read now',
  'disk-full': 'the server has too little space left: documents can only be read',
  damaged: 'this document is damaged on the server, and can only be read',
}
/** A reader whose edits are refused is told so at once, and once more after so long: stock clients log each time. */
const DENIAL_INTERVAL_MS = 10_000

/** Who is told. */
interface Reader extends Pick<Member, 'outlet' | 'dialect'> {
  readonly room: Room
  /** Whether its right is one to write, and edits are taken at all. */
  readonly mayWrite: boolean
  /** An editor of an earlier version: it may delete what it doesn't know. */
  readonly isOutdated: boolean
}

/** What a session's client is told beside edits: what it may do, and how it stands with its document. Each dialect has its words. */
export class Notices {
  /** It has asked for messages of Weft's own. */
  hasAnnounced = false
  readonly #reader: Reader
  #deniedAt = Number.NEGATIVE_INFINITY

  constructor(reader: Reader) {
    this.#reader = reader
  }

  /** Whether edits are taken that make the document grow. */
  get isTaken(): boolean {
    return this.#reader.mayWrite && this.#reader.room.sizeState !== 'full'
  }

  /** Why an edit is not taken that makes the document grow. */
  get fullText(): string {
    const { maxDocumentBytes } = this.#reader.room.settings
    return `the document is at its size limit, ${maxDocumentBytes} bytes`
  }

  // Again and again where it asks whether anybody is there; who doesn't read what it asks for must not make us hold more.
  announced(): void {
    const { room, outlet } = this.#reader
    const isAsked = this.hasAnnounced
    this.hasAnnounced = true
    if (isAsked && outlet.unsentBytes > 0) return
    if (!isAsked && room.saving !== 'saving') this.tellSaving()
    if (room.sizeState !== 'fine') this.tellSize()
    this.tellAccess()
  }

  tellSaving(): void {
    this.#reader.outlet.write(encodeFrame(encodeSaving(this.#reader.room.saving)))
  }

  tellSize(): void {
    const { room, outlet } = this.#reader
    const { maxDocumentBytes } = room.settings
    outlet.write(encodeFrame(encodeSize(room.sizeState, room.documentBytes, maxDocumentBytes)))
  }

  /** Which version of the schema the server has. */
  tellSchema(): void {
    const { room, outlet } = this.#reader
    if (this.hasAnnounced && outlet.unsentBytes <= room.maxUnsentBytes) outlet.write(SCHEMA)
  }

  tellAccess(): void {
    this.#reader.outlet.write(encodeFrame(encodeAccess(this.isTaken ? 'read-write' : 'read-only')))
  }

  /** Tells a Hocuspocus provider that its token is taken, and what for. */
  welcome(): void {
    this.#reader.outlet.write(encodeFrame(encodeAuthenticated(!this.isTaken)))
  }

  /** Why its edits aren't taken, as stock clients log it. */
  tellDenial(): void {
    this.#reader.outlet.write(this.#denial())
  }

  #denial(): Buffer {
    const { room, mayWrite, isOutdated } = this.#reader
    if (isOutdated) return OUTDATED
    if (!mayWrite && !room.isReadOnly) return READ_ONLY
    if (mayWrite) return encodeFrame(encodePermissionDenied(closeReason('tooLarge', this.fullText)))
    return encodeFrame(encodePermissionDenied(closeReason('forbidden', READ_ONLY_REASONS[room.saving])))
  }

  /** An edit of its was not taken. */
  tellRefused(): void {
    const { room, outlet, dialect } = this.#reader
    if (outlet.unsentBytes > room.maxUnsentBytes) return
    if (dialect === 'hocuspocus') {
      outlet.write(REFUSED_STATUS)
      return
    }
    const now = room.clock.now()
    if (now - this.#deniedAt < DENIAL_INTERVAL_MS) return
    this.#deniedAt = now
    this.tellDenial()
  }

  /** What is refused from now on is told at once again. */
  forgetRefusals(): void {
    this.#deniedAt = Number.NEGATIVE_INFINITY
  }
}
