/**
 * Bytes that are no update, state vector or knowledge that we accept.
 * `reason` says which rule was broken, with numbers and positions, never with content: it may be logged and sent.
 */
export class MalformedUpdate extends Error {
  readonly reason: string

  constructor(reason: string) {
    super(`malformed update: ${reason}`)
    this.name = 'MalformedUpdate'
    this.reason = reason
  }
}
