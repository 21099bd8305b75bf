import { carets } from './carets.ts'
import type { Scenario } from './Scenario.ts'
import { typing } from './typing.ts'

/** All scenarios, in the order in which they run. */
export const scenarios: readonly Scenario[] = [
  typing({
    name: 'fanout',
    title: 'one document, 100 people, each types 5 characters/s',
    documents: 1,
    writers: 100,
    perSecond: 5,
    seconds: 10,
    quickSeconds: 4,
  }),
  typing({
    name: 'fanout300',
    title: 'one document, 300 people, each types 5 characters/s',
    documents: 1,
    writers: 300,
    perSecond: 5,
    seconds: 10,
    quickSeconds: 3,
  }),
  typing({
    name: 'light',
    title: 'one document, 2 people, each types 2 characters/s',
    documents: 1,
    writers: 2,
    perSecond: 2,
    seconds: 30,
    quickSeconds: 6,
  }),
  typing({
    name: 'manydocs',
    title: '500 documents with 2 people each, each types 2 characters/s',
    documents: 500,
    writers: 2,
    perSecond: 2,
    seconds: 10,
    quickSeconds: 4,
  }),
  carets({
    name: 'awareness',
    title: 'one document, 100 people, each moves the caret 10 times/s',
    clients: 100,
    perSecond: 10,
    isEchoing: false,
    seconds: 10,
    quickSeconds: 3,
  }),
  carets({
    name: 'awareness-echo',
    title: 'the same, and every client sends back what it hears, as stock clients do',
    clients: 100,
    perSecond: 10,
    isEchoing: true,
    seconds: 10,
    quickSeconds: 3,
  }),
]
