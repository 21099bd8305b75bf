// Loaded into a server's process before its own code (`--import`), to make it fail at a named point: the server knows nothing
// of it. WEFT_TEST_FAULT is `point action` or `point action n`: the n-th time that the point is reached (default: the first).
import { existsSync, writeFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import { LevelUpdateLog } from '../../server/dist/log/LevelUpdateLog.js'
import { recordKind } from '../../server/dist/log/levelRecord.js'
import { levelSystem } from '../../server/dist/log/levelSystem.js'
import { Documents } from '../../server/dist/room/Documents.js'
import { Room } from '../../server/dist/room/Room.js'
import { Session } from '../../server/dist/room/Session.js'

const [point, action, count = '1'] = (process.env.WEFT_TEST_FAULT ?? '').split(' ')
let left = Number(count)
let hasStarted = false

/** What happens where the point is reached the n-th time: an error, or no return at all. Else null. */
function reached(name) {
  // A start has loads and unloads of its own; any call of the store may fail, those too.
  if (name !== point || !(hasStarted || name === 'call') || left === 0 || --left > 0) return null
  if (action === 'kill') {
    process.kill(process.pid, 'SIGKILL')
    // The signal comes in a moment; until then nothing more may happen.
    for (;;);
  }
  process.stderr.write(`a fault was made: ${name}\n`)
  return new Error(`IO error: a fault that a test made (${name})`)
}

/** @param keys of what is written */
function pointsOf(keys) {
  const isSnapshot = keys.some(key => key[0] === 0x64 && key[17] === recordKind.snapshot)
  return isSnapshot ? ['compaction-write', 'write'] : ['write']
}

/** Calls of LevelDB: `call` is any of them. */
function withFaults(db) {
  const failing = (names, callback) => {
    for (const name of names) {
      const error = reached(name)
      if (error !== null) {
        setImmediate(callback, error)
        return true
      }
    }
    return false
  }
  const { getMany, iterator, batch } = db
  db.getMany = function (keys, options, callback) {
    if (!failing(['call', 'get'], callback)) getMany.call(this, keys, options, callback)
  }
  db.iterator = function (options) {
    const made = iterator.call(this, options)
    const { next } = made
    made.next = function (callback) {
      if (!failing(['call', 'scan'], callback)) next.call(this, callback)
    }
    return made
  }
  db.batch = function () {
    const made = batch.call(this)
    const { put, write } = made
    const keys = []
    made.put = function (key, value) {
      keys.push(key)
      return put.call(this, key, value)
    }
    made.write = function (options, callback) {
      const points = pointsOf(keys)
      if (failing(['call', ...points.map(name => `before-${name}`)], callback)) return
      write.call(this, options, error => {
        for (const name of points) if (!error) reached(`after-${name}`)
        callback(error)
      })
    }
    return made
  }
  return db
}

/** @param throws whether an error is thrown where it is called; else it rejects */
function pointAt(prototype, method, name, throws = true) {
  const original = prototype[method]
  prototype[method] = function (...args) {
    const error = reached(name)
    if (error === null) return original.apply(this, args)
    if (throws) throw error
    return Promise.reject(error)
  }
}

if (isMainThread) {
  const { write } = process.stdout
  process.stdout.write = function (text, ...rest) {
    if (String(text).includes('Weft is at')) hasStarted = true
    return write.call(this, text, ...rest)
  }
  const { createHandle } = levelSystem
  levelSystem.createHandle = path => withFaults(createHandle(path))
  pointAt(LevelUpdateLog.prototype, 'read', 'load', false)
  pointAt(Room.prototype, 'unload', 'unload')
  pointAt(Room.prototype, 'sweep', 'timer')
  pointAt(Room.prototype, 'committed', 'commit')
  pointAt(Session.prototype, 'receiveMessage', 'message')
  pointAt(Documents.prototype, 'find', 'request', false)
  // The wall clock jumps by so many seconds at each SIGUSR2, forth and back.
  const { now } = Date
  let offsetMs = 0
  process.on('SIGUSR2', () => {
    offsetMs = offsetMs === 0 ? Number(process.env.WEFT_TEST_CLOCK_JUMP ?? 0) * 1000 : 0
    process.stderr.write(`the clock jumped to ${new Date(now() + offsetMs).toISOString()}\n`)
  })
  Date.now = () => now() + offsetMs
} else if (point === 'worker' && !existsSync(process.env.WEFT_TEST_FAULT_ONCE ?? '')) {
  // In a worker's thread, the first one only: it ends, or takes all the memory that it may have.
  const { Doc } = await import('yjs')
  Doc.prototype.emit = () => {
    writeFileSync(process.env.WEFT_TEST_FAULT_ONCE ?? '', '')
    if (action === 'exit') process.exit(1)
    for (const held = []; ; ) held.push(new Array(1 << 24).fill(held.length))
  }
}
