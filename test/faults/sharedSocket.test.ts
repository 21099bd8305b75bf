import { describe } from 'vitest'
import { faultSuite } from './faultSuite.ts'

describe('a document on a socket that others share, where', () => {
  faultSuite('shared with other documents')
})
