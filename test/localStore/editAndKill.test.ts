import { levelStore } from '@weft/client/leveldb'
import { expect, it, onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { Random } from '../crdt/Random.ts'
import { rounds, roundsTimeoutMs } from '../rounds.ts'
import { testFolder, testServer } from '../support/testServer.ts'
import { ChromiumProcess, type TabProgram } from './ChromiumProcess.ts'
import { editAndKill } from './editAndKill.ts'
import { ProcessProgram } from './ProcessProgram.ts'

const seed = Number(process.env.WEFT_TEST_SEED ?? Date.now() % 2 ** 31)

it(
  `what was said to be saved is there after a process with a LevelDB store is killed (${rounds.processKills} rounds, seed ${seed})`,
  async () => {
    const server = await testServer()
    const folder = await testFolder()
    let program: ProcessProgram | undefined
    onTestFinished(() => program?.kill())
    const promised = await editAndKill(rounds.processKills, new Random(seed), server, {
      maxPrograms: 1,
      async start() {
        program = new ProcessProgram(folder)
        return program
      },
      async killAll() {
        await program?.kill()
      },
      async stored() {
        const store = levelStore(folder, 'weft/a')
        const ydoc = new Y.Doc()
        const { updates, damage } = await store.open(() => {})
        await store.close()
        expect(damage).toBe(null)
        for (const update of updates) Y.applyUpdate(ydoc, update)
        return ydoc.getText('t').toString()
      },
    })
    expect(Math.min(promised.local, promised.server, promised.offline)).toBeGreaterThan(rounds.processKills / 4)
  },
  roundsTimeoutMs,
)

it(
  `what was said to be saved is there after tabs or Chromium are killed (${rounds.tabKills} rounds, seed ${seed})`,
  async () => {
    const server = await testServer()
    const chromium = await ChromiumProcess.start()
    onTestFinished(() => chromium.stop())
    const origin = chromium.origin('rounds')
    let tabs: TabProgram[] = []
    const promised = await editAndKill(rounds.tabKills, new Random(seed), server, {
      maxPrograms: 2,
      async start() {
        const tab = await chromium.tab(origin)
        tabs.push(tab)
        return tab
      },
      async killAll(random) {
        if (random.chance(0.3)) await chromium.kill()
        else for (const tab of tabs) await tab.kill()
        tabs = []
      },
      async stored() {
        const tab = await chromium.tab(origin)
        // Nobody listens there.
        const { text, storeError } = await tab.call('connect', 'ws://127.0.0.1:9/a', 'weft/a')
        expect(storeError).toBe(null)
        await tab.stop()
        return text
      },
    })
    expect(Math.min(promised.local, promised.server, promised.offline)).toBeGreaterThan(0)
  },
  roundsTimeoutMs,
)
