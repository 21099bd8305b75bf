import { expect, it } from 'vitest'
import { Progress } from './Progress.ts'

function terminal(isTTY: boolean) {
  const written: string[] = []
  return { written, isTTY, columns: 20, write: (text: string) => void written.push(text) }
}

it('writes a line anew, not too often, cut to the terminal, and takes it away', () => {
  let now = 0
  const screen = terminal(true)
  const progress = new Progress(screen, terminal(false), () => now)
  progress.show('1 document')
  progress.show('2 documents')
  now = 150
  progress.show('\x1b[31mmore than the line has room for')
  progress.clear()
  progress.clear()
  expect(screen.written).toEqual(['\r\x1b[K1 document', '\r\x1b[Kmore than the line ', '\r\x1b[K'])
})

it('is silent where nobody looks, and where the result is on the same screen', () => {
  for (const [error, result] of [
    [false, false],
    [true, true],
    [false, true],
  ] as const) {
    const screen = terminal(error)
    const progress = new Progress(screen, terminal(result), () => 0)
    progress.show('1 document')
    progress.clear()
    expect(screen.written).toEqual([])
  }
})
