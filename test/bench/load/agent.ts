// Runs in a process of its own, made by LoadProcess: does what the runner asks for, and answers.
import { CaretLoad } from './CaretLoad.ts'
import { FuzzLoad } from './FuzzLoad.ts'
import { HostileLoad } from './HostileLoad.ts'
import { JoinLoad } from './JoinLoad.ts'
import { ProbeLoad } from './ProbeLoad.ts'
import { TypingLoad } from './TypingLoad.ts'

const loads = {
  typing: new TypingLoad(),
  carets: new CaretLoad(),
  joins: new JoinLoad(),
  hostile: new HostileLoad(),
  fuzz: new FuzzLoad(),
  probe: new ProbeLoad(),
}
export type Loads = typeof loads

export interface Call {
  readonly id: number
  readonly load: keyof Loads
  readonly method: string
  readonly args: readonly unknown[]
}

export type Answer = { readonly id: number } & ({ readonly result: unknown } | { readonly error: string })

async function answer({ id, load, method, args }: Call): Promise<Answer> {
  try {
    const target = loads[load]
    const found: unknown = Reflect.get(target, method)
    if (typeof found !== 'function') throw new Error(`${load} has no ${method}`)
    return { id, result: await Reflect.apply(found, target, args) }
  } catch (error) {
    return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

process.on('message', (call: Call) => {
  answer(call).then(
    result => process.send?.(result),
    error => {
      process.stderr.write(`${error}\n`)
      process.exit(1)
    },
  )
})
process.on('disconnect', () => process.exit(0))
