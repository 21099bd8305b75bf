import { type LocalStore, type StoredUpdates, StoreError } from '@weft/client'
import { fromBase64, toBase64 } from 'lib0/buffer'

/** What `program.mjs` offers, by name. */
export interface ProgramCalls {
  open(name: string): { updates: string[]; damage: string | null }
  append(updates: string[]): void
  replace(update: string): void
  close(): void
  lost(): string
  connect(url: string, name: string): { text: string; storeError: string | null }
  insert(token: string, behind: string): void
  remove(token: string): void
  saved(level: 'server' | 'local'): void
  text(): string
  state(): { unsaved: number; unsavedLocally: number; storeError: string | null }
  closeDocument(): void
}

/** A Node process or a tab that runs `program.mjs`, and can be killed. */
export interface Program {
  /** @throws {StoreError} or what else the function threw; or that the program has been killed */
  call<Name extends keyof ProgramCalls>(
    name: Name,
    ...args: Parameters<ProgramCalls[Name]>
  ): Promise<ReturnType<ProgramCalls[Name]>>
  /** No code of it runs any more when this resolves. */
  kill(): Promise<void>
  /** Ends it in peace. */
  stop(): Promise<void>
}

/** What `answer` of `program.mjs` sends. */
export type Answer = { value: unknown } | { error: { message: string; code: StoreError['code'] | null } }

export function unwrapped(answer: Answer): unknown {
  if (!('error' in answer)) return answer.value
  const { message, code } = answer.error
  throw code === null ? new Error(message) : new StoreError(code, message)
}

/** The store of a program, as if it were here. */
export function storeIn(program: Program, name: string): LocalStore {
  return {
    async open(): Promise<StoredUpdates> {
      const { updates, damage } = await program.call('open', name)
      return { updates: updates.map(fromBase64), damage }
    },
    append: updates => program.call('append', updates.map(toBase64)),
    replace: update => program.call('replace', toBase64(update)),
    close: () => program.call('close'),
  }
}
