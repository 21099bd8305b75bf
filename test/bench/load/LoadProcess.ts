import { type ChildProcess, fork } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ProcessUsage } from '../servers/ProcessUsage.ts'
import type { Answer, Loads } from './agent.ts'

const AGENT = fileURLToPath(new URL('agent.ts', import.meta.url))
// Node 20 runs no TypeScript by itself.
const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href

type Method<Load, Name extends keyof Load> = Load[Name] extends (...args: infer Args) => infer Result
  ? { args: Args; result: Awaited<Result> }
  : never

/** A process that plays clients. The runner tells it what to do, and it answers with figures. */
export class LoadProcess {
  readonly usage: ProcessUsage
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  #calls = 0

  private constructor(child: ChildProcess, pid: number) {
    this.#child = child
    this.usage = new ProcessUsage(pid)
    child.on('message', (answer: Answer) => {
      const waiting = this.#waiting.get(answer.id)
      this.#waiting.delete(answer.id)
      if ('error' in answer) waiting?.reject(new Error(answer.error))
      else waiting?.resolve(answer.result as never)
    })
    child.on('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`a load process ended (${code ?? signal})`))
    })
  }

  static async start(): Promise<LoadProcess> {
    const child = fork(AGENT, {
      execArgv: ['--import', TSX, '--max-old-space-size=8192'],
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject))
    if (child.pid === undefined) throw new Error('a load process did not start')
    return new LoadProcess(child, child.pid)
  }

  /** Calls a method of one of the process' loads. */
  call<Name extends keyof Loads, M extends string & keyof Loads[Name]>(
    load: Name,
    method: M,
    ...args: Method<Loads[Name], M>['args']
  ): Promise<Method<Loads[Name], M>['result']> {
    const id = this.#calls++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#child.send({ id, load, method, args })
    })
  }

  stop(): void {
    this.#child.kill('SIGKILL')
  }
}
