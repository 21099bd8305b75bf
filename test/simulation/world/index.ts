export { mustHappen } from './Counters.ts'
export { type Action, type ActionName, makePlan, type WorldPlan } from './plan.ts'
export { type Outcome, run } from './run.ts'
