import { describe } from 'vitest'
import { describeCoEditing } from './coEditing.ts'

describe('in firefox', () => describeCoEditing('firefox'))
