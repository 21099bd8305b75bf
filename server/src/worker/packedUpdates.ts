/**
 * Many byte arrays as one, for the way to a worker: one buffer to transfer instead of thousands.
 * A part is its bytes, one after another in `bytes`, and its length in `lengths`.
 */
export interface PackedUpdates {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly lengths: Uint32Array<ArrayBuffer>
}

/** Copies: the parts may be views into buffers that the caller goes on using. */
export function packUpdates(updates: readonly Uint8Array[]): PackedUpdates {
  const lengths = Uint32Array.from(updates, update => update.length)
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0))
  let offset = 0
  for (const update of updates) {
    bytes.set(update, offset)
    offset += update.length
  }
  return { bytes, lengths }
}

/** The parts, as views. */
export function unpackUpdates({ bytes, lengths }: PackedUpdates): Uint8Array[] {
  let offset = 0
  return Array.from(lengths, length => {
    offset += length
    return bytes.subarray(offset - length, offset)
  })
}
