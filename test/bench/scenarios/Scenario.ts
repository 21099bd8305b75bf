import type { LoadProcess } from '../load/LoadProcess.ts'
import type { ServerKind } from '../servers/ServerKind.ts'
import type { ServerProcess } from '../servers/ServerProcess.ts'

/** A figure that a scenario measures. */
export interface Column {
  readonly key: string
  /** With its unit. */
  readonly title: string
  /** Digits after the point. Default 0. */
  readonly digits?: number
  /** Whether the table shows it as a multiple of Weft's too: what an operator pays for. */
  readonly isRatio?: boolean
}

/** What one run of one server gave. A run with problems has failed: its figures count for nothing. */
export interface Outcome {
  readonly figures: Readonly<Record<string, number>>
  readonly problems: readonly string[]
}

/** One run of one server: where it stores, and how to start it and its load. All that was started ends with the run. */
export interface Bench {
  readonly kind: ServerKind
  /** Its own, empty at the beginning. */
  readonly folder: string
  /** Shorter and smaller, to see that it works. */
  readonly isQuick: boolean
  readonly traceFile: string | null
  /** Where a scenario asks for them: instead of its own number of connections, and its own time. */
  readonly connections?: number | undefined
  readonly seconds?: number | undefined
  readonly kinds?: readonly string[]
  /** @param weftSettings only where a scenario can't be had with the defaults; others have no such limits */
  startServer(weftSettings?: Readonly<Record<string, string>>): Promise<ServerProcess>
  startLoad(): Promise<LoadProcess>
}

export interface Scenario {
  readonly name: string
  /** One line for the table: what is done. */
  readonly title: string
  readonly columns: readonly Column[]
  /** Which servers it says something about. Default: all. */
  readonly servers?: (kind: ServerKind) => boolean
  run(bench: Bench): Promise<Outcome>
}
