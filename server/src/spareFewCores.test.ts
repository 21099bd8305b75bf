import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'

/** Runs in a process of its own, whose threads have done nothing yet. @returns what each thread has used of a core, in ticks */
const PROGRAM = `
  import { readdirSync, readFileSync } from 'node:fs'
  import { lowerHelpers } from '${new URL('./spareFewCores.ts', import.meta.url)}'
  const stat = thread => readFileSync('/proc/self/task/' + thread + '/stat', 'latin1').replace(/^.*\\) /, '').split(' ')
  const lowered = lowerHelpers()
  const begin = process.cpuUsage()
  // Garbage that is old: what marks it are V8's threads.
  let kept = []
  const used = thread => Number(stat(thread)[11]) + Number(stat(thread)[12])
  while (!lowered.some(thread => used(thread) > 0) && process.cpuUsage(begin).user < 20e6) {
    kept.push(Array.from({ length: 100 }, (_, i) => ({ i })))
    if (kept.length > 20_000) kept = kept.slice(10_000)
  }
  const others = readdirSync('/proc/self/task').map(Number).filter(thread => thread !== process.pid && !lowered.includes(thread))
  process.stdout.write(JSON.stringify({
    nice: lowered.map(thread => Number(stat(thread)[16])),
    niceOfOthers: others.map(thread => Number(stat(thread)[16])),
    niceOfMain: Number(stat(process.pid)[16]),
    usedByLowered: lowered.reduce((sum, thread) => sum + used(thread), 0),
  }))
`

it.runIf(process.platform === 'linux')("lets V8's threads give way, and none else", () => {
  const output = execFileSync('node', ['--import', 'tsx', '--input-type=module', '-e', PROGRAM], { encoding: 'utf8' })
  const { nice, niceOfOthers, niceOfMain, usedByLowered } = JSON.parse(output)
  expect(nice.length).toBeGreaterThan(0)
  const own = niceOfMain
  expect(nice).toEqual(nice.map(() => Math.max(own, 10)))
  expect(niceOfOthers).toEqual(niceOfOthers.map(() => own))
  expect(usedByLowered).toBeGreaterThan(0)
})
