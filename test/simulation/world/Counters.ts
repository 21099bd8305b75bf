/** What happened in a history, by name: a fault that never happens shows nothing. */
export class Counters {
  readonly counts = new Map<string, number>()

  add(name: string, times = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + times)
  }

  addAll(other: ReadonlyMap<string, number>): void {
    for (const [name, count] of other) this.add(name, count)
  }
}

/** What must have happened over the seeds of one run. */
export const mustHappen = [
  // people
  'edit',
  'paste',
  'went offline',
  'all left',
  'copied tab',
  'asked again',
  'said again',
  'token renewed',
  'token expired',
  'token revoked',
  'role changed',
  'role shrunk in place',
  'edit refused',
  'reader wrote',
  'document deleted',
  'document begun anew',
  'document put into the bin',
  'document restored',
  // dialects
  'joined: y-websocket',
  'joined: hocuspocus',
  'joined: multiplex',
  'acknowledged',
  'provider synced',
  // hostile
  'malformed update',
  'gap',
  'flood',
  'forged awareness',
  'garbage',
  'giant awareness',
  'foreign client id',
  // links
  'link cut inside a message',
  'link cut',
  'half-open',
  'stopped reading',
  'slow link',
  // process
  'kill -9',
  'power cut',
  'torn record',
  'killed during load',
  'killed during commit',
  'killed during compaction',
  'killed at an unload',
  'paused process',
  'restart',
  // store
  'failed write',
  'failed fsync',
  'failed read',
  'disk full',
  'slow fsync',
  'stalled fsync',
  'flipped bit',
  'damage found',
  'worker failed',
  // the server at work
  'commit',
  'compaction',
  'unload',
] as const
