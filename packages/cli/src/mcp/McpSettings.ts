import type { ServerAddress } from '../serverAddress.ts'

/** How `weft mcp` was called. */
export interface McpSettings {
  readonly server: ServerAddress
  /** How people see the agent; null: as the program that started this one calls itself. */
  readonly name: string | null
  /** `#rrggbb` */
  readonly color: string
  /** How long the agent is shown in a document after its last edit there. */
  readonly lingerMs: number
  readonly isReadOnly: boolean
  readonly mayDelete: boolean
}
