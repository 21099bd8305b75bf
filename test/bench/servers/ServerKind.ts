import type { Dialect } from '../load/Client.ts'

/** A server that can be measured. */
export interface ServerKind {
  readonly name: string
  readonly dialect: Dialect
  readonly isWeft: boolean
  /** Whether it merges and keeps what it relays. The others only show what relaying alone costs. */
  readonly isRelay: boolean
  /** What was started, with its versions. */
  readonly description: string
  /** What to run; `folder` is its own, and holds all it stores. */
  launch(port: number, folder: string): { command: readonly string[]; env: Readonly<Record<string, string>> }
}
