import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { Knowledge } from '../crdt/Knowledge.ts'
import { MalformedUpdate } from '../crdt/MalformedUpdate.ts'
import { readUpdate } from '../crdt/readUpdate.ts'
import { DEFAULT_UPDATE_LIMITS } from '../crdt/UpdateLimits.ts'
import { packUpdates, unpackUpdates } from './packedUpdates.ts'
import { Workshop } from './Workshop.ts'

/** A document whose text was typed letter by letter, with its log. */
function typed(text: string, clientID: number): { doc: Y.Doc; updates: Uint8Array[] } {
  const doc = new Y.Doc()
  doc.clientID = clientID
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(update))
  for (const letter of text) doc.getText('t').insert(doc.getText('t').length, letter)
  return { doc, updates }
}

function textOf(...updates: (Uint8Array | null)[]): string {
  const doc = new Y.Doc()
  for (const update of updates) if (update) Y.applyUpdate(doc, update)
  expect([doc.store.pendingStructs, doc.store.pendingDs]).toEqual([null, null])
  return doc.getText('t').toString()
}

describe('Workshop', () => {
  let workshop: Workshop
  beforeAll(() => {
    workshop = new Workshop({ threads: 2 })
  })
  afterAll(() => workshop.stop())

  describe('check', () => {
    it('reads an update as readUpdate does, and leaves its bytes to the caller', async () => {
      const { doc } = typed('hello', 1)
      doc.getText('t').delete(1, 2)
      const update = Y.encodeStateAsUpdate(doc)
      // A view into a larger buffer, as ws gives them.
      const frame = Buffer.concat([Buffer.from('frame'), update])
      const contents = await workshop.check(frame.subarray(5), DEFAULT_UPDATE_LIMITS)
      expect(contents).toEqual(readUpdate(update, DEFAULT_UPDATE_LIMITS))
      expect(frame.subarray(5).equals(update)).toBe(true)
    })

    it('rejects what readUpdate refuses, with its reason', async () => {
      const bad = Uint8Array.of(1, 1, 1, 0, 99)
      const limits = { ...DEFAULT_UPDATE_LIMITS, allowedRootNames: new Set(['other']) }
      for (const [update, options] of [
        [bad, DEFAULT_UPDATE_LIMITS],
        [Y.encodeStateAsUpdate(typed('a', 1).doc), limits],
      ] as const) {
        let reason = ''
        try {
          readUpdate(update, options)
        } catch (error) {
          if (error instanceof MalformedUpdate) reason = error.reason
        }
        expect(reason).not.toBe('')
        const error = await workshop.check(update, options).catch(error => error)
        expect(error).toBeInstanceOf(MalformedUpdate)
        expect(error.reason).toBe(reason)
      }
    })
  })

  describe('compact', () => {
    it('makes one update of a log without a snapshot, with its knowledge', async () => {
      const { doc, updates } = typed('hello world', 7)
      doc.getText('t').delete(0, 6)
      const { update, knowledge } = await workshop.compact({ snapshot: null, updates })
      expect(textOf(update)).toBe('world')
      expect(updates.every(each => each.length > 0)).toBe(true)
      const known = Knowledge.decode(knowledge)
      expect(new Map(known.stateVector)).toEqual(new Map([[7, 11]]))
      expect(new Map(known.deletes)).toEqual(new Map([[7, [0, 6]]]))
      expect(known.encodeStateVector()).toEqual(Y.encodeStateVectorFromUpdate(update))
    })

    it('takes a snapshot and what follows it', async () => {
      const { doc, updates } = typed('abc', 1)
      const first = await workshop.compact({ snapshot: null, updates: updates.splice(0) })
      doc.getText('t').insert(3, 'def')
      const second = await workshop.compact({ snapshot: first.update, updates })
      expect(textOf(second.update)).toBe('abcdef')
      expect(first.update.length).toBeGreaterThan(0)
    })

    it('collects what was deleted', async () => {
      const { doc, updates } = typed('x'.repeat(2000), 1)
      doc.getText('t').delete(0, 2000)
      const { update } = await workshop.compact({ snapshot: null, updates })
      expect(update.length).toBeLessThan(40)
    })

    it('makes nothing of a log with gaps', async () => {
      const { updates } = typed('abc', 5)
      const [first = new Uint8Array(), , third = new Uint8Array()] = updates
      const compacting = workshop.compact({ snapshot: null, updates: [first, third] })
      await expect(compacting).rejects.toMatchObject({
        code: 'DOCUMENT_INCOMPLETE',
        message: expect.stringContaining('client'),
      })
    })

    it('makes the empty update of nothing', async () => {
      const { update, knowledge } = await workshop.compact({ snapshot: null, updates: [] })
      expect(update).toEqual(Uint8Array.of(0, 0))
      expect(Knowledge.decode(knowledge).isEmpty).toBe(true)
    })
  })

  it('gives the difference of a snapshot to a state vector', async () => {
    const { doc, updates } = typed('hello', 3)
    const stateVector = Y.encodeStateVector(doc)
    doc.getText('t').insert(5, ' you')
    const snapshot = Y.encodeStateAsUpdate(doc)
    const diff = await workshop.diff({ snapshot, stateVector })
    expect(diff).toEqual(Y.diffUpdate(snapshot, stateVector))
    expect(textOf(...updates.slice(0, 5), diff)).toBe('hello you')
  })

  describe('tidied', () => {
    it('judges each question for itself, in one document', async () => {
      const { doc, updates } = typed('hello', 1)
      doc.getText('t').delete(0, 1)
      const questions = [
        new Map([[1, [0, 1]]]),
        new Map([[1, [0, 2]]]),
        new Map([
          [1, [5, 9]],
          [7, [0, 3]],
        ]),
      ]
      const answers = await workshop.tidied(questions, async () => ({ snapshot: null, updates }))
      expect(answers).toEqual([new Map(), null, new Map()])
      expect(await workshop.tidied([], async () => ({ snapshot: null, updates }))).toEqual([])
    })

    it('gives way to everything else, one at a time, and holds no log before its turn', async () => {
      const alone = new Workshop({ threads: 1, maxQueued: 2 })
      const { updates } = typed('hello', 1)
      const events: string[] = []
      const ask = (name: string) =>
        alone
          .tidied([], async () => {
            events.push(`${name} reads`)
            return { snapshot: null, updates }
          })
          .then(() => events.push(name))
      const tasks: Promise<unknown>[] = [ask('first'), ask('second'), ask('third')]
      await expect(alone.tidied([], () => Promise.reject(new Error('not read')))).rejects.toMatchObject({
        code: 'WORKER_BUSY',
      })
      for (const name of ['a writer', 'another']) {
        tasks.push(alone.check(updates[0] ?? new Uint8Array(), DEFAULT_UPDATE_LIMITS).then(() => events.push(name)))
      }
      await Promise.all(tasks)
      expect(events.indexOf('a writer')).toBeLessThan(events.indexOf('second'))
      expect(events.indexOf('another')).toBeLessThan(events.indexOf('second'))
      expect(events.indexOf('second')).toBeLessThan(events.indexOf('third'))
      // Read when the thread is free: after the task before it, a turn of the event loop earlier than it is told.
      expect(events.indexOf('first')).toBeLessThan(events.indexOf('second reads'))
      expect(events.indexOf('a writer')).toBeLessThan(events.indexOf('third reads'))
      expect(alone.taskCount).toBe(0)
      await alone.stop()
    })

    it('leaves a thread to the others, where there are several', async () => {
      const events: string[] = []
      let goOn = () => {}
      const log = { snapshot: null, updates: [] }
      const first = workshop.tidied([], () => {
        events.push('first reads')
        return new Promise(resolve => {
          goOn = () => resolve(log)
        })
      })
      const second = workshop.tidied([], async () => {
        events.push('second reads')
        return log
      })
      const { updates } = typed('a', 1)
      for (const update of updates) await workshop.check(update, DEFAULT_UPDATE_LIMITS)
      expect(events).toEqual(['first reads'])
      goOn()
      await Promise.all([first, second])
      expect(events).toEqual(['first reads', 'second reads'])
    })

    it('rejects where the log can’t be read, and goes on', async () => {
      const reading = workshop.tidied([], () => Promise.reject(new Error('the disk is gone')))
      await expect(reading).rejects.toThrow('the disk is gone')
      expect(await workshop.tidied([], async () => ({ snapshot: null, updates: [] }))).toEqual([])
      expect(workshop.taskCount).toBe(0)
    })
  })

  describe('closedPart', () => {
    it('is what follows from the log, and names what is missing for the rest', async () => {
      const ann = typed('abcd', 1)
      const bo = typed('xyz', 2)
      // Of Ann's letters the log has two; the message brings the fourth, which needs the third, and all of Bo's.
      const logged = ann.updates.slice(0, 2)
      const update = Y.mergeUpdates([...ann.updates.slice(3), ...bo.updates])
      const result = await workshop.closedPart({ snapshot: null, updates: logged, update })
      expect(new Map(result.missing)).toEqual(new Map([[1, 3]]))
      expect(result.update).toEqual(Y.encodeStateAsUpdate(bo.doc))
      expect([...textOf(...logged, result.update)].sort().join('')).toBe('abxyz')
    })

    it('contains no operation and no deletion that the log has already', async () => {
      const { doc, updates } = typed('hello', 1)
      doc.getText('t').delete(0, 1)
      const logged = [...updates]
      doc.getText('t').delete(3, 1)
      doc.getText('t').insert(3, 'p')
      const result = await workshop.closedPart({ snapshot: null, updates: logged, update: Y.encodeStateAsUpdate(doc) })
      expect(result.missing.size).toBe(0)
      const contents = readUpdate(result.update ?? new Uint8Array(), DEFAULT_UPDATE_LIMITS)
      expect(new Map(contents.structs)).toEqual(new Map([[1, { start: 5, end: 6 }]]))
      expect(new Map(contents.deletes)).toEqual(new Map([[1, [4, 5]]]))
      expect(textOf(...logged, result.update)).toBe('ellp')
    })

    it('drops deletions of what is missing, and keeps those of what is there', async () => {
      const { doc, updates } = typed('abcdef', 1)
      const snapshot = Y.mergeUpdates(updates.slice(0, 3))
      updates.splice(0)
      doc.getText('t').delete(2, 2)
      const result = await workshop.closedPart({ snapshot, updates: [], update: Y.mergeUpdates(updates) })
      expect(new Map(result.missing)).toEqual(new Map([[1, 4]]))
      const contents = readUpdate(result.update ?? new Uint8Array(), DEFAULT_UPDATE_LIMITS)
      expect(new Map(contents.deletes)).toEqual(new Map([[1, [2, 3]]]))
      expect(textOf(snapshot, result.update)).toBe('ab')
    })

    it('is null where nothing follows from the log', async () => {
      const { updates } = typed('abcd', 1)
      const gap = updates.slice(2)
      const result = await workshop.closedPart({
        snapshot: null,
        updates: updates.slice(0, 1),
        update: Y.mergeUpdates(gap),
      })
      expect([result.update, new Map(result.missing)]).toEqual([null, new Map([[1, 2]])])
      const known = await workshop.closedPart({ snapshot: null, updates, update: Y.mergeUpdates(updates) })
      expect([known.update, known.missing.size]).toEqual([null, 0])
    })
  })

  it('runs many tasks at once, and gives each its own result', async () => {
    const letters = 'abcdefghijklmnopqrst'
    const results = await Promise.all(
      [...letters].map((letter, i) =>
        workshop.compact({ snapshot: null, updates: typed(letter.repeat(30), i + 1).updates }),
      ),
    )
    expect(results.map(result => textOf(result.update)[0]).join('')).toBe(letters)
    expect(workshop.taskCount).toBe(0)
  })
})

describe('Workshop in trouble', () => {
  it('rejects only the task that runs out of memory, and goes on', async () => {
    const workshop = new Workshop({ threads: 1, maxHeapMiB: 24 })
    const { updates } = typed('fine', 1)
    const large = new Y.Doc()
    // A Y.Map of many keys: each is a struct, about 200 bytes of heap.
    large.transact(() => {
      for (let i = 0; i < 150_000; i++) large.getMap('m').set(`key ${i}`, i)
    })
    const starved = workshop.compact({ snapshot: Y.encodeStateAsUpdate(large), updates: [] })
    const waiting = workshop.compact({ snapshot: null, updates })
    await expect(starved).rejects.toMatchObject({ code: 'WORKER_FAILED', message: expect.stringContaining('memory') })
    expect(textOf((await waiting).update)).toBe('fine')
    expect(textOf((await workshop.compact({ snapshot: null, updates })).update)).toBe('fine')
    await workshop.stop()
  })

  it('says of content that takes more memory than there is that it is too complex: no fault of the server', async () => {
    const workshop = new Workshop({ threads: 1, maxHeapMiB: 64 })
    const replace = (text: string) => {
      const content = new TextEncoder().encode(text)
      return workshop.replace({ snapshot: null, updates: [], form: 'markdown', content, clientID: 1 })
    }
    await expect(replace('- a\n'.repeat(500_000))).rejects.toMatchObject({ name: 'ContentError', code: 'too-complex' })
    expect((await replace('- a\n')).update).not.toBeNull()
    await workshop.stop()
  })

  it('refuses tasks beyond its queue and beyond its bytes', async () => {
    const update = Y.encodeStateAsUpdate(typed('abc', 1).doc)
    const queue = new Workshop({ threads: 1, maxQueued: 2 })
    const tasks = Array.from({ length: 8 }, () => queue.check(update, DEFAULT_UPDATE_LIMITS))
    const states = (await Promise.allSettled(tasks)).map(({ status }) => status)
    expect(states.slice(0, 2)).toEqual(['fulfilled', 'fulfilled'])
    expect(states.slice(3)).toEqual(Array(5).fill('rejected'))
    await expect(tasks[7]).rejects.toMatchObject({ code: 'WORKER_BUSY' })
    await queue.check(update, DEFAULT_UPDATE_LIMITS)
    await queue.stop()

    const small = new Workshop({ threads: 1, maxBytes: update.length })
    const first = small.check(update, DEFAULT_UPDATE_LIMITS)
    await expect(small.check(update, DEFAULT_UPDATE_LIMITS)).rejects.toMatchObject({ code: 'WORKER_BUSY' })
    await first
    await small.check(update, DEFAULT_UPDATE_LIMITS)
    await small.stop()
  })

  it('finishes its tasks when it is stopped, and takes no more', async () => {
    const workshop = new Workshop({ threads: 1 })
    const { updates } = typed('abc', 1)
    const tasks = [1, 2, 3].map(() => workshop.compact({ snapshot: null, updates }))
    const stopping = workshop.stop()
    await expect(workshop.compact({ snapshot: null, updates })).rejects.toMatchObject({ code: 'WORKER_STOPPED' })
    for (const task of await Promise.all(tasks)) expect(textOf(task.update)).toBe('abc')
    await Promise.all([stopping, workshop.stop()])
  })

  it('ends what still runs when it is to stop at once', async () => {
    const workshop = new Workshop({ threads: 1 })
    const { updates } = typed('x'.repeat(3000), 1)
    const tasks = Array.from({ length: 20 }, () => workshop.compact({ snapshot: null, updates }))
    const results = Promise.allSettled(tasks)
    await workshop.stop(0)
    const stopped = (await results).filter(result => result.status === 'rejected')
    expect(stopped.length).toBeGreaterThan(0)
    for (const { reason } of stopped) expect(reason).toMatchObject({ code: 'WORKER_STOPPED' })
  })

  it('stops where it was never used', async () => {
    await new Workshop().stop()
  })
})

it('packs updates and gives them back', () => {
  const updates = [Uint8Array.of(1, 2), Uint8Array.of(), Uint8Array.of(3), Buffer.from('abc').subarray(1)]
  expect(unpackUpdates(packUpdates(updates)).map(update => [...update])).toEqual(updates.map(update => [...update]))
  expect(unpackUpdates(packUpdates([]))).toEqual([])
})
