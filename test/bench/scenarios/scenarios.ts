import { bigjoin } from './bigjoin.ts'
import { blocked } from './blocked.ts'
import { carets } from './carets.ts'
import { coldload } from './coldload.ts'
import { connections } from './connections.ts'
import { fuzz } from './fuzz.ts'
import { hostile } from './hostile.ts'
import { idle } from './idle.ts'
import { longlog } from './longlog.ts'
import { manystored } from './manystored.ts'
import type { Scenario } from './Scenario.ts'
import { slowreader } from './slowreader.ts'
import { storm } from './storm.ts'
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
  coldload(260),
  coldload(20_000),
  idle,
  connections,
  bigjoin(4),
  bigjoin(20),
  storm,
  carets({
    name: 'presence1000',
    title: 'one document, 1,000 people, each moves the caret once a second; all clients echo',
    clients: 1000,
    perSecond: 1,
    isEchoing: true,
    seconds: 10,
    quickSeconds: 4,
  }),
  typing({
    name: 'fanout1000',
    title: 'one document, 1,000 readers, 20 people type 5 characters/s each',
    documents: 1,
    writers: 20,
    readers: 1000,
    perSecond: 5,
    seconds: 10,
    quickSeconds: 4,
  }),
  longlog,
  manystored,
  slowreader,
  blocked,
  hostile,
  fuzz,
]
