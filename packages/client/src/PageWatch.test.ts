import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { PageWatch } from './PageWatch.ts'

const host = { moved: () => {}, shown: () => {} }
let page: EventTarget

beforeEach(() => {
  page = new EventTarget()
  vi.stubGlobal('window', page)
  vi.stubGlobal('document', new EventTarget())
})

afterEach(() => {
  vi.unstubAllGlobals()
})

/** Whether the browser would ask the person who leaves the page now. */
const asks = () => !page.dispatchEvent(new Event('beforeunload', { cancelable: true }))

it('asks before a page is left as long as one of its documents wants that', () => {
  const [first, second] = [new PageWatch(host), new PageWatch(host)]
  expect(asks()).toBe(false)
  first.setAsking(true)
  second.setAsking(true)
  first.setAsking(false)
  expect(asks()).toBe(true)
  first.end()
  expect(asks()).toBe(true)
  second.end()
  expect(asks()).toBe(false)
})
