import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LiveSocket } from './LiveSocket.ts'
import type { CloseInfo, WebSocketLike } from './WebSocketLike.ts'

/** A socket that does nothing by itself. */
class FakeSocket implements WebSocketLike {
  binaryType = ''
  readyState = 0
  onopen: ((event: never) => void) | null = null
  onmessage: ((event: never) => void) | null = null
  onerror: ((event: never) => void) | null = null
  onclose: ((event: never) => void) | null = null
  readonly sent: string[] = []
  closeCount = 0

  send(data: Uint8Array): void {
    this.sent.push(data[0] === 110 ? 'question' : `${data.length}`)
  }

  close(): void {
    this.closeCount++
    this.readyState = 2
  }

  open(): void {
    this.readyState = 1
    this.onopen?.({} as never)
  }

  hear(): void {
    this.onmessage?.({ data: new ArrayBuffer(1) } as never)
  }

  end(info: CloseInfo): void {
    this.readyState = 3
    this.onclose?.(info as never)
  }
}

let inside: FakeSocket
let socket: LiveSocket
let ends: CloseInfo[]
const edit = new Uint8Array(20)

beforeEach(() => {
  vi.useFakeTimers()
  inside = new FakeSocket()
  socket = new LiveSocket(inside, Uint8Array.of(110, 0))
  ends = []
  socket.onclose = event => ends.push(event)
})

afterEach(() => {
  vi.useRealTimers()
})

describe('LiveSocket', () => {
  it('finds a dead link 8 s after what was sent', () => {
    inside.open()
    vi.advanceTimersByTime(20_000)
    socket.send(edit)
    vi.advanceTimersByTime(2_999)
    expect(inside.sent).toEqual(['20'])
    vi.advanceTimersByTime(1)
    expect(inside.sent).toEqual(['20', 'question'])
    vi.advanceTimersByTime(4_999)
    expect(ends).toEqual([])
    vi.advanceTimersByTime(1)
    expect(ends).toEqual([{ code: 1006, reason: 'nothing is heard of the server' }])
    expect([inside.closeCount, socket.readyState]).toEqual([1, 3])
    // Its real end comes minutes later, and is nobody's concern.
    inside.end({ code: 1006, reason: '' })
    expect(ends).toHaveLength(1)
  })

  it('takes anything that is heard for life', () => {
    inside.open()
    for (let i = 0; i < 10; i++) {
      socket.send(edit)
      vi.advanceTimersByTime(7_000)
      inside.hear()
    }
    vi.advanceTimersByTime(29_999)
    expect(ends).toEqual([])
    vi.advanceTimersByTime(1)
    // Silence, although nothing was sent.
    expect(ends).toHaveLength(1)
  })

  it('gives a large message the time that a slow link takes for it', () => {
    inside.open()
    socket.send(new Uint8Array(12_800_000))
    vi.advanceTimersByTime(100_000)
    expect([inside.sent.length, ends.length]).toEqual([1, 0])
    vi.advanceTimersByTime(3_000)
    expect(inside.sent.length).toBe(2)
    vi.advanceTimersByTime(104_999)
    expect(ends).toEqual([])
    vi.advanceTimersByTime(1)
    expect(ends).toHaveLength(1)
  })

  it('waits longer for an answer that may be large, of which nothing is heard before its end', () => {
    inside.open()
    socket.expect(true)
    socket.send(edit)
    vi.advanceTimersByTime(3_000)
    expect(inside.sent).toEqual(['20', 'question'])
    vi.advanceTimersByTime(59_000)
    expect(ends).toEqual([])
    inside.hear()
    socket.expect(false)
    socket.send(edit)
    vi.advanceTimersByTime(7_999)
    expect(ends).toEqual([])
    vi.advanceTimersByTime(1)
    expect(ends).toHaveLength(1)
  })

  it('ends a connection that does not open within 10 s', () => {
    vi.advanceTimersByTime(10_000)
    expect(ends).toEqual([{ code: 1006, reason: 'no answer within 10 s' }])
  })

  it('asks anew when the device has slept, for what came meanwhile is not heard yet', () => {
    inside.open()
    socket.send(edit)
    vi.advanceTimersByTime(3_000)
    const now = performance.now()
    vi.spyOn(performance, 'now').mockImplementation(() => now + 3_600_000)
    vi.advanceTimersByTime(5_000)
    expect(ends).toEqual([])
    vi.mocked(performance.now).mockImplementation(() => now + 3_600_000 + 5_000)
    vi.advanceTimersByTime(5_000)
    expect(ends).toHaveLength(1)
    vi.restoreAllMocks()
  })

  it('asks at once where somebody wants to know', () => {
    socket.probe()
    expect(inside.sent).toEqual([])
    inside.open()
    socket.probe()
    socket.probe()
    expect(inside.sent).toEqual(['question'])
    vi.advanceTimersByTime(5_000)
    expect(ends).toHaveLength(1)
  })

  it('cuts a socket whose other side does not answer the close within a second, where that is possible', () => {
    let cuts = 0
    const cut = Object.assign(inside, { terminate: () => void cuts++ })
    inside.open()
    socket.close()
    vi.advanceTimersByTime(999)
    expect(cuts).toBe(0)
    vi.advanceTimersByTime(1)
    expect(cuts).toBe(1)
    const answered = new LiveSocket(cut, Uint8Array.of(110, 0))
    inside.open()
    answered.close()
    inside.end({ code: 1000, reason: '' })
    vi.advanceTimersByTime(60_000)
    expect(cuts).toBe(1)
  })

  it('tells the end that this side or the other makes, once, and is quiet after it', () => {
    inside.open()
    socket.close()
    expect([socket.readyState, ends.length]).toEqual([2, 0])
    inside.end({ code: 1000, reason: '' })
    expect(ends).toEqual([{ code: 1000, reason: '' }])
    inside.end({ code: 1000, reason: '' })
    vi.advanceTimersByTime(60_000)
    expect(ends).toHaveLength(1)
    expect(inside.sent).toEqual([])
  })
})
