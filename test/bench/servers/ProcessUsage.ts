import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

/** Ticks of `/proc/<pid>/stat` per second: USER_HZ, 100 on every Linux that Node runs on (`getconf CLK_TCK`). */
const TICKS_PER_SECOND = 100

/** What a process and its children use, from `/proc`: nothing inside of the process is asked. */
export class ProcessUsage {
  readonly pid: number

  constructor(pid: number) {
    this.pid = pid
  }

  /** User and system time, ms, in steps of 10; children, ended ones too, included. */
  get cpuMs(): number {
    let ticks = 0
    for (const pid of this.#family()) {
      // The name may hold spaces and brackets: what follows the last bracket is counted from field 3 on.
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const [utime, stime] = [Number(fields[11]), Number(fields[12])]
      ticks += utime + stime + Number(fields[13]) + Number(fields[14])
    }
    return (ticks * 1000) / TICKS_PER_SECOND
  }

  /** Resident memory, bytes. */
  get rssBytes(): number {
    return this.#sum('VmRSS')
  }

  /** Of it, what is in no file: pages of files (a program's code, LevelDB's mapped tables) are free for the taking. Bytes. */
  get anonymousBytes(): number {
    return this.#sum('RssAnon')
  }

  /** The most it had since `resetPeak`, bytes. */
  get peakRssBytes(): number {
    return this.#sum('VmHWM')
  }

  resetPeak(): void {
    // proc(5): 5 resets the peak of the resident set.
    for (const pid of this.#family()) writeFileSync(`/proc/${pid}/clear_refs`, '5')
  }

  #sum(field: string): number {
    let sum = 0
    for (const pid of this.#family()) {
      const kB = new RegExp(`^${field}:\\s+(\\d+) kB`, 'mu').exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
      sum += Number(kB ?? 0) * 1024
    }
    return sum
  }

  #family(): number[] {
    const family = [this.pid]
    for (const pid of family) {
      for (const task of readdirSync(`/proc/${pid}/task`)) {
        const children = readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').trim()
        if (children !== '') family.push(...children.split(' ').map(Number))
      }
    }
    return family
  }
}
