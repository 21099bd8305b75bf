import type { CloseName } from '@weft/protocol'

/** A connection as its session sees it: somewhere to write to. */
export interface Outlet {
  /** Whether writing still reaches anybody. */
  readonly isOpen: boolean
  /** Bytes written and not yet taken by the operating system; those of shared frames don't count. */
  readonly unsentBytes: number
  /** Who it is, for logs and for counting offences; the address without users. */
  readonly address: string
  /** Whether it comes from this machine, and not through a proxy. Left out: it does. */
  readonly isLocal?: boolean
  /** Whether what is handled now was sent faster than people write, and has stood in line. Left out: it wasn't. */
  readonly isFlooding?: boolean
  /** With which code it was closed, by whichever side; null, or left out: it wasn't, or nobody knows. */
  readonly closeCode?: number | null
  /**
   * Writes whole WebSocket frames, in order.
   * @param sharedBy who holds these bytes anyway, whoever reads them (a document's stored bytes): they cost this connection no
   *   memory, as long as all that is unsent is of the same holder
   */
  write(frames: Buffer, sharedBy?: object | null): void
  /** What is written meanwhile leaves in one write, where that can be. */
  together<T>(work: () => T): T
  /** Asks whether anybody is still there; resolves false after 2 s of silence. */
  isAlive(): Promise<boolean>
  close(name: CloseName, text: string): void
}
