import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Files that take longest, by parts of their names. Vitest begins with the largest files; some of these are small, and would be
 * what everything waits for in the end.
 */
const SLOW = [
  'test/browser/',
  'test/command.test.ts',
  'test/faults/',
  'test/threats/realProcess.test.ts',
  'test/import.test.ts',
  'test/simulation/simulation.test.ts',
  'test/fuzz/',
  'test/crdt/updateFuzz.test.ts',
  'test/localStore/editAndKill.test.ts',
  'test/sync/',
  'test/matrix.test.ts',
  'test/threats/silence.test.ts',
]

/** The order in which files of tests begin: the slowest first, all others as Vitest has them. */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const index = SLOW.findIndex(part => moduleId.includes(part))
      return index < 0 ? SLOW.length : index
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}
