import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type Answer, type Program, type ProgramCalls, unwrapped } from './Program.ts'

const main = fileURLToPath(new URL('programProcess.mjs', import.meta.url))

/** `program.mjs` in a Node process, on a LevelDB folder. */
export class ProcessProgram implements Program {
  readonly #child: ChildProcess
  readonly #exit: Promise<unknown>
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #calls = 0

  constructor(folder: string) {
    this.#child = fork(main, [folder], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] })
    this.#child.on('message', (message: Answer & { id: number }) => {
      this.#waiting.get(message.id)?.(message)
      this.#waiting.delete(message.id)
    })
    this.#exit = once(this.#child, 'exit').then(() => {
      for (const tell of this.#waiting.values()) tell({ error: { message: 'killed', code: null } })
    })
  }

  async call<Name extends keyof ProgramCalls>(
    name: Name,
    ...args: Parameters<ProgramCalls[Name]>
  ): Promise<ReturnType<ProgramCalls[Name]>> {
    const id = ++this.#calls
    const answer = new Promise<Answer>(resolve => this.#waiting.set(id, resolve))
    this.#child.send({ id, name, args })
    return unwrapped(await answer) as ReturnType<ProgramCalls[Name]>
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exit
  }

  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect()
    await this.#exit
  }
}
