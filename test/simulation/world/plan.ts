import type { DocumentId } from '@weft/protocol'
import { Random } from '../../crdt/Random.ts'
import type { Doom } from './World.ts'

/** What people, faults and strangers do is over after so long; then everything must come to rest. Virtual ms. */
export const BUSY_MS = 30_000

export interface PersonPlan {
  readonly dialect: 'y-websocket' | 'hocuspocus' | 'multiplex'
  readonly isVersion2: boolean
  readonly role: string
  /** Longest time of a message on its way, in ms. */
  readonly delayMs: number
  readonly documents: readonly DocumentId[]
}

/** One thing that somebody does, or that happens. `seed`: of all that is random in it. */
export interface Action {
  readonly at: number
  readonly what: ActionName
  /** The number of the person or stranger. */
  readonly who: number
  readonly seed: number
  /** A length of time, in ms, or a number of calls. */
  readonly amount: number
}

export interface WorldPlan {
  readonly seed: number
  readonly documents: readonly DocumentId[]
  /** May be deleted by the administrator. */
  readonly deletable: readonly DocumentId[]
  readonly isAsking: boolean
  /** How long a document without sessions stays open, in ms. */
  readonly idleMs: number
  readonly people: readonly PersonPlan[]
  readonly strangers: number
  readonly actions: readonly Action[]
}

export type ActionName =
  | 'edit'
  | 'paste'
  | 'go offline'
  | 'all leave'
  | 'new tab'
  | 'ask ack'
  | 'ask again'
  | 'say again'
  | 'stop reading'
  | 'cut'
  | 'half-open'
  | 'slow link'
  | 'write as reader'
  | 'change role'
  | 'revoke'
  | 'shrink role'
  | 'short token'
  | 'renew token'
  | 'malformed update'
  | 'gap'
  | 'flood'
  | 'forged awareness'
  | 'garbage'
  | 'giant awareness'
  | 'foreign client id'
  | 'delete document'
  | 'put into the bin'
  | 'restore'
  | 'begin anew'
  | 'kill'
  | 'power cut'
  | 'kill at load'
  | 'kill at commit'
  | 'kill at compaction'
  | 'kill at unload'
  | 'pause process'
  | 'restart'
  | 'fail write'
  | 'fail fsync'
  | 'fail read'
  | 'full disk'
  | 'slow disk'
  | 'stall disk'
  | 'flip bit'
  | 'fail workers'

export const dooms: Partial<Record<ActionName, Doom['moment']>> = {
  'kill at load': 'load',
  'kill at commit': 'commit',
  'kill at compaction': 'compaction',
  'kill at unload': 'unload',
}

const strangerActions: readonly ActionName[] = [
  'malformed update',
  'gap',
  'flood',
  'forged awareness',
  'garbage',
  'giant awareness',
  'foreign client id',
]
const processActions: readonly ActionName[] = [
  'kill',
  'power cut',
  'kill at load',
  'kill at commit',
  'kill at compaction',
  'kill at unload',
  'pause process',
  'restart',
]
const diskActions: readonly ActionName[] = [
  'fail write',
  'fail fsync',
  'fail read',
  'full disk',
  'slow disk',
  'stall disk',
]

/** The whole of a history, before anything of it happens: the same seed, the same plan. */
export function makePlan(seed: number): WorldPlan {
  const random = new Random(seed)
  const isAsking = random.chance(0.35)
  const isDeleting = random.chance(0.12)
  const documents = (random.chance(0.6) ? ['one'] : ['one', 'two']) as DocumentId[]
  const deletable = isDeleting ? (['bin'] as DocumentId[]) : []
  const people: PersonPlan[] = []
  for (let count = 2 + random.below(5); count > 0; count--) {
    const dialect = random.pick(['y-websocket', 'y-websocket', 'hocuspocus', 'multiplex'] as const)
    const opened = dialect === 'y-websocket' || random.chance(0.5) ? [random.pick(documents)] : documents
    people.push({
      dialect,
      isVersion2: random.chance(0.3),
      role: isAsking && random.chance(0.25) ? 'viewer' : 'editor',
      delayMs: random.pick([1, 20, 100, 300]),
      documents: opened,
    })
  }
  for (const documentId of deletable) {
    for (let count = 2; count > 0; count--) {
      people.push({
        dialect: random.pick(['y-websocket', 'multiplex']),
        isVersion2: false,
        role: 'editor',
        delayMs: 20,
        documents: [documentId],
      })
    }
  }
  const plan = {
    seed,
    documents: [...documents, ...deletable],
    deletable,
    isAsking,
    idleMs: random.pick([0, 2000, 30_000]),
    people,
    strangers: random.chance(0.4) ? 1 + random.below(2) : 0,
  }
  return { ...plan, actions: makeActions(plan, random) }
}

function makeActions(plan: Omit<WorldPlan, 'actions'>, random: Random): Action[] {
  const actions: Action[] = []
  const add = (at: number, what: ActionName, who = 0, amount = 0) => {
    if (at < BUSY_MS) actions.push({ at: Math.floor(at), what, who, amount, seed: random.below(2 ** 31) })
  }
  const isRhythmic = random.chance(0.4)
  plan.people.forEach((person, who) => {
    for (let at = random.below(3000); at < BUSY_MS; ) {
      // A burst of typing, and then something else, or a pause.
      for (let left = 1 + random.below(10); left > 0; left--) {
        add(at, 'edit', who)
        at += 20 + random.below(300)
      }
      if (random.chance(0.3)) add(at, 'ask ack', who)
      if (random.chance(0.3)) add(at, pickHabit(plan.isAsking, person.role, random), who, random.below(20_000))
      at += random.below(isRhythmic ? 12_000 : 5000)
    }
  })
  for (let stranger = 0; stranger < plan.strangers; stranger++) {
    for (let at = random.below(10_000); at < BUSY_MS; at += random.below(6000)) {
      add(at, random.pick(strangerActions), stranger)
    }
  }
  const faults: (readonly ActionName[])[] = [processActions, diskActions, ['fail workers'], ['flip bit']]
  const chances = [0.6, 0.4, 0.15, 0.12]
  faults.forEach((names, kind) => {
    if (!random.chance(chances[kind] ?? 0)) return
    if (names[0] === 'flip bit') {
      // What is damaged must be read again to be seen.
      const at = 5000 + random.below(BUSY_MS - 10_000)
      add(at, 'flip bit')
      add(at + 10, 'kill', 0, 300)
      return
    }
    for (let at = random.below(12_000); at < BUSY_MS; at += 2000 + random.below(12_000)) {
      add(at, random.pick(names), 0, 100 + random.below(random.chance(0.2) ? 12_000 : 3000))
    }
  })
  // Everybody leaves while the last edits are on their way to a disk that takes its time, and comes back before they are there.
  if (random.chance(0.2)) {
    for (let at = 3000 + random.below(6000); at < BUSY_MS; at += 10_000 + random.below(8000)) {
      add(at, 'stall disk', 0, 9000 + random.below(6000))
      for (const who of plan.people.keys()) add(at + 100 + random.below(400), 'edit', who)
      add(at + 800, 'all leave', 0, 5500 + random.below(3000))
      for (const who of plan.people.keys()) add(at + 9500 + random.below(1000), 'edit', who)
    }
  }
  for (const who of plan.deletable.keys()) {
    for (let at = 4000 + random.below(8000); at < BUSY_MS; at += 3000 + random.below(10_000)) {
      const isForGood = random.chance(0.6)
      add(at, isForGood ? 'delete document' : 'put into the bin', who)
      add(at + random.below(6000), isForGood ? 'begin anew' : 'restore', who)
    }
    add(BUSY_MS - 1, 'begin anew', who)
  }
  return actions.sort((a, b) => a.at - b.at)
}

function pickHabit(isAsking: boolean, role: string, random: Random): ActionName {
  const habits: ActionName[] = [
    'paste',
    'go offline',
    'go offline',
    'new tab',
    'ask again',
    'say again',
    'stop reading',
    'cut',
    'cut',
    'half-open',
    'slow link',
  ]
  if (isAsking) habits.push('change role', 'revoke', 'shrink role', 'short token', 'renew token', 'write as reader')
  if (isAsking && role === 'viewer') habits.push('write as reader', 'write as reader', 'write as reader')
  return random.pick(habits)
}
