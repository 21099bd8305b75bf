const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const BACKSLASH = 0x5c

/** A name that a store holds as bytes. */
export interface DecodedName {
  /** Where it isn't UTF-8: each byte outside ASCII, and each backslash, as `\xff`. */
  readonly name: string
  /** Why it is no name as it stands, or null. */
  readonly nameFault: string | null
}

/** Reads a name, without taking two for the same. */
export function decodeName(bytes: Uint8Array): DecodedName {
  try {
    return { name: utf8.decode(bytes), nameFault: null }
  } catch {
    const name = Array.from(bytes, byte =>
      byte < 128 && byte !== BACKSLASH ? String.fromCharCode(byte) : escaped(byte),
    )
    return { name: name.join(''), nameFault: 'its name is not UTF-8' }
  }
}

function escaped(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`
}
