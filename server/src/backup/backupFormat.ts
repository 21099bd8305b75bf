/**
 * The form of a backup: PROTOCOL.md, "Backup". In short:
 *
 * ```
 * backup = line • begin • (document • piece* | file • piece* | damaged)* • end
 * record = kind(1) • length(4) • body • crc(4)
 * entry  = time(6) • length(4) • update
 * ```
 * A `crc` begins with that of the record before: the last one vouches for all. Format 1 had no files.
 */
export const backupFormat = 2
/** The last one that had no files. */
export const formatWithoutFiles = 1

/** What each backup begins with, up to the number of its format. */
export const backupMagic = 'weft backup '

export const backupLine = `${backupMagic}${backupFormat}\n`

export const recordKinds = { begin: 0x42, document: 0x44, piece: 0x50, file: 0x46, damaged: 0x58, end: 0x45 } as const

/** Of a record's body. */
export const maxBodyBytes = 1 << 20
/** kind, length */
export const recordHeadBytes = 5
export const crcBytes = 4
/** time, length */
export const entryHeadBytes = 10

export interface DocumentHead {
  readonly name: string
  readonly createdAt: number
  readonly deletedAt: number | null
  readonly head: number
  readonly snapshotSeq: number
  readonly keptAfter: number
  /** These three: bytes. */
  readonly snapshot: number | null
  readonly knowledge: number | null
  readonly keptStateVector: number | null
  /** Of all its pieces. */
  readonly bytes: number
}

export interface FileHead {
  /** Of the document that it was put into. */
  readonly name: string
  /** The SHA-256 of its bytes, and what it is: `<64 hex digits>.png`. */
  readonly file: string
  /** Of all its pieces. */
  readonly bytes: number
}
