/** A running hash of all that happened: the same history has the same one. */
export class Trace {
  #a = 0x811c9dc5
  #b = 0x01000193
  /** All that was told, in words; null: not kept. */
  readonly lines: string[] | null

  constructor(isKept: boolean) {
    this.lines = isKept ? [] : null
  }

  /** @param at virtual ms */
  add(at: number, what: string, who: number, bytes?: Uint8Array): void {
    this.#mix(Math.floor(at * 1000))
    this.#mix(who)
    for (let i = 0; i < what.length; i++) this.#mix(what.charCodeAt(i))
    if (bytes !== undefined) {
      this.#mix(bytes.length)
      let a = this.#a
      for (const byte of bytes) a = Math.imul(a ^ byte, 0x01000193)
      this.#a = a
    }
    this.lines?.push(`${at.toFixed(2).padStart(9)} ${what} ${who}${bytes === undefined ? '' : ` ${hex(bytes)}`}`)
  }

  #mix(value: number): void {
    this.#a = Math.imul(this.#a ^ value, 0x01000193)
    this.#b = Math.imul(this.#b ^ this.#a, 0x85ebca6b) ^ (value >>> 3)
  }

  get hash(): string {
    return [this.#a, this.#b].map(part => (part >>> 0).toString(16).padStart(8, '0')).join('')
  }
}

function hex(bytes: Uint8Array): string {
  const shown = Buffer.from(bytes.subarray(0, 60)).toString('hex')
  return bytes.length > 60 ? `${shown}… (${bytes.length})` : shown
}
