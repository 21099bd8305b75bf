import type { CloseName } from './closeCode.ts'

/** What a close code tells the client to do next. Only `stop` is final: y-websocket (3.1 and later) treats 4400 to 4499 so. */
export type CloseAction = 'stop' | 'retry' | 'retry-later'

/** What each close code means: PROTOCOL.md prints this table, a test compares the two. Apart from the codes, which pages load. */
export const closeMeaning: Readonly<Record<CloseName, { readonly meaning: string; readonly action: CloseAction }>> = {
  left: { meaning: 'the client left', action: 'stop' },
  brokenFrame: { meaning: 'a broken WebSocket frame', action: 'retry' },
  text: { meaning: 'a text frame', action: 'stop' },
  malformed: { meaning: 'a message or update that does not decode or breaks a rule', action: 'retry' },
  policy: { meaning: 'a rate, a silence, a client id in use or a gap that stays', action: 'retry' },
  tooBig: { meaning: 'a message over its limit', action: 'retry' },
  internal: { meaning: 'our fault: this document cannot be read, say', action: 'retry' },
  restart: { meaning: 'the server stops or restarts, or the document is reloaded', action: 'retry-later' },
  overload: {
    meaning: 'overload, or a reader that is too slow: the reason names the seconds to wait',
    action: 'retry-later',
  },
  repeatedlyMalformed: { meaning: 'the third malformed message within 60 s', action: 'stop' },
  unauthorized: { meaning: 'a missing, bad, expired or revoked token', action: 'stop' },
  forbidden: { meaning: 'no right to this', action: 'stop' },
  badName: { meaning: 'the URL names no document', action: 'stop' },
  deleted: { meaning: 'the document was deleted', action: 'stop' },
  tooLarge: { meaning: 'the document is at its hard size limit', action: 'stop' },
}
