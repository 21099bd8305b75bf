import { readFileSync } from 'node:fs'
import { toMarkdown } from '@weft/client/text'
import { expect } from 'vitest'
import type * as Y from 'yjs'
import { eventually } from '../support/eventually.ts'
import { type CommandResult, type RunningCommand, startCommand } from '../support/weftCommand.ts'

export interface SyncEvent {
  readonly event: 'taken' | 'written' | 'deleted' | 'note' | 'problem'
  readonly document: string | null
  readonly file: string | null
  readonly message?: string
}

/** `weft sync` in a process of its own. */
export class SyncProcess {
  readonly events: SyncEvent[] = []
  readonly #command: RunningCommand

  /** @param stateHome where it keeps what both sides had in common */
  constructor(url: string, stateHome: string, ...args: string[]) {
    const env = { WEFT_URL: url, XDG_STATE_HOME: stateHome }
    this.#command = startCommand(['sync', '--json', ...args], env, line => this.events.push(JSON.parse(line)))
  }

  /** Waits for one of which this is a part. */
  async says(part: Partial<SyncEvent>, from = 0): Promise<SyncEvent> {
    return eventually(`the event ${JSON.stringify(part)}`, () =>
      this.events.slice(from).find(event => {
        const { message = '', ...rest } = part
        return (
          Object.entries(rest).every(([name, value]) => event[name as 'event'] === value) &&
          (event.message ?? '').includes(message)
        )
      }),
    ).catch(error => {
      throw new Error(`${error.message}; there were ${JSON.stringify(this.events)}`)
    })
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.#command.child.kill('SIGKILL')
    await this.#command.result
  }

  async stop(): Promise<CommandResult> {
    this.#command.child.kill('SIGINT')
    return this.#command.result
  }

  get result(): Promise<CommandResult> {
    return this.#command.result
  }
}

/** Its text; null: there is no such file. */
export function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}

/** Waits until file and document say the same, and this. */
export async function bothSay(file: string, document: { ydoc: Y.Doc }, markdown: string): Promise<void> {
  const isSo = () => readText(file) === markdown && toMarkdown(document) === markdown
  await eventually(`${file} and the document to say ${JSON.stringify(markdown)}`, isSo).catch(() =>
    expect({ file: readText(file), document: toMarkdown(document) }).toEqual({ file: markdown, document: markdown }),
  )
}
