/** Counts who still sends what of shared bytes: while anybody does, they stay in memory, whoever else has let go of them. */
export class Pins {
  readonly #counts = new Map<object, { count: number; readonly bytes: number }>()
  #bytes = 0

  /** Bytes that are pinned, each holder's once. */
  get bytes(): number {
    return this.#bytes
  }

  /** @param holder `StoredBytes`, or anything else that says its `byteLength` */
  add(holder: object): void {
    const pin = this.#counts.get(holder)
    if (pin !== undefined) {
      pin.count++
      return
    }
    const bytes = 'byteLength' in holder && typeof holder.byteLength === 'number' ? holder.byteLength : 0
    this.#counts.set(holder, { count: 1, bytes })
    this.#bytes += bytes
  }

  remove(holder: object): void {
    const pin = this.#counts.get(holder)
    if (pin === undefined || --pin.count > 0) return
    this.#counts.delete(holder)
    this.#bytes -= pin.bytes
  }
}
