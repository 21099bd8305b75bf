import { describe } from 'vitest'
import { faultSuite } from './faultSuite.ts'

describe('a document with a socket of its own, where', () => {
  faultSuite('its own')
})
