import type { Action, WorldPlan } from './world/index.ts'

/**
 * Leaves out of a plan what its failure doesn't need: actions, as many at a time as possible.
 * @param fails whether a plan fails in the same way
 * @param maxRuns after so many runs the smallest found so far is it
 */
export async function shrinkPlan(
  plan: WorldPlan,
  fails: (plan: WorldPlan) => Promise<boolean>,
  maxRuns = 300,
): Promise<WorldPlan> {
  let actions: readonly Action[] = plan.actions
  let runs = 0
  for (let size = Math.ceil(actions.length / 2); size >= 1 && runs < maxRuns; ) {
    let isSmaller = false
    for (let at = 0; at < actions.length && runs < maxRuns; ) {
      const fewer = actions.toSpliced(at, size)
      runs++
      if (await fails({ ...plan, actions: fewer })) {
        actions = fewer
        isSmaller = true
      } else at += size
    }
    if (size === 1 && !isSmaller) break
    if (!isSmaller) size = Math.floor(size / 2)
    else size = Math.max(1, Math.min(size, Math.floor(actions.length / 2)))
  }
  return { ...plan, actions }
}
