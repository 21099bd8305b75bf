import { expect, it } from 'vitest'
import { showControls } from './showControls.ts'

it('shows what a terminal would obey, and leaves the text as it is', () => {
  expect(showControls('a\n\tb 👩‍👧 Größe')).toBe('a\n\tb 👩‍👧 Größe')
  expect(showControls('\u001b[2J\r\u009b1m\u0000\u007f')).toBe('\\u001b[2J\\u000d\\u009b1m\\u0000\\u007f')
  expect(showControls('\u202eabc\u2028\ud800')).toBe('\\u202eabc\\u2028\\ud800')
})
