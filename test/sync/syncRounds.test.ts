import { join } from 'node:path'
import { it } from 'vitest'
import { Random } from '../crdt/Random.ts'
import { rounds, roundsTimeoutMs } from '../rounds.ts'
import { program } from '../support/editing.ts'
import { testFolder, testServer } from '../support/testServer.ts'
import { syncRounds } from './syncRounds.ts'

const seed = Number(process.env.WEFT_TEST_SEED ?? Date.now() % 2 ** 31)

it(
  `loses no line and has none twice, whoever writes and whatever is killed (${rounds.syncs} rounds, seed ${seed})`,
  async () => {
    const server = await testServer()
    const folder = await testFolder()
    const document = await program(server, 'a')
    await syncRounds(rounds.syncs, new Random(seed), server, document, join(folder, 'a.md'), join(folder, 'state'))
  },
  roundsTimeoutMs,
)
