import type { WeftDocument } from '@weft/client'

export interface Player {
  /** The public key. */
  readonly id: string
  /** The private key, for `createPlayer`. */
  readonly saved: JsonWebKey
  sign(text: string): Promise<number[]>
}

export interface State {
  readonly id: string
  /** Red and yellow; null: a free seat. */
  readonly players: readonly (string | null)[]
  /** Of each column its colours, from below: 0 is red. */
  readonly board: readonly (readonly number[])[]
  /** The columns that were played, one digit each. */
  readonly moves: string
  /** The colour that has four in a row. */
  readonly winner: number | null
  readonly isOver: boolean
  /** This client's: 0, 1, or -1 for who watches. */
  readonly seat: number
  readonly isMyTurn: boolean
}

export function wins(board: readonly (readonly number[])[], column: number, colour: number): boolean
export function createPlayer(saved?: JsonWebKey): Promise<Player>

export class Game {
  constructor(doc: WeftDocument, player: Player, changed: (state: State) => void)
  read(): Promise<State>
  sit(seat: number): Promise<void>
  play(column: number): Promise<void>
  restart(): void
  stop(): void
}
