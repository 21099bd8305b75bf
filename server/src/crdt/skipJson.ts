import type { ByteReader } from './ByteReader.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const MINUS = 0x2d
const DOT = 0x2e
const ZERO = 0x30
const COLON = 0x3a
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const LOWER_U = 0x75
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
/** Characters that may follow a backslash: `"\/bfnrt`; `u` takes four more. */
const ESCAPES = new Set([0x22, 0x5c, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74])
/** `true`, `false`, `null` after their first letter, by that letter. */
const LITERALS = new Map([
  [0x74, [0x72, 0x75, 0x65]],
  [0x66, [0x61, 0x6c, 0x73, 0x65]],
  [0x6e, [0x75, 0x6c, 0x6c]],
])

/**
 * Passes over the JSON text that begins at the reader's position and must end at `end`.
 * Takes exactly what `JSON.parse` takes (ECMA-404), but for nesting: at most `maxDepth` levels of objects and arrays.
 * Builds nothing. The bytes were checked as UTF-8 before.
 * @throws {MalformedUpdate}
 */
export function skipJson(reader: ByteReader, end: number, maxDepth: number): void {
  skipSpace(reader, end)
  skipValue(reader, end, maxDepth)
  skipSpace(reader, end)
  if (reader.position !== end) throw reader.malformed('a JSON value goes on after its end')
}

function peek(reader: ByteReader, end: number): number {
  return reader.position < end ? (reader.bytes[reader.position] ?? -1) : -1
}

function take(reader: ByteReader, end: number): number {
  const byte = peek(reader, end)
  if (byte < 0) throw reader.malformed('a JSON value ends too early')
  reader.position++
  return byte
}

function skipSpace(reader: ByteReader, end: number): void {
  while (true) {
    const byte = peek(reader, end)
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return
    reader.position++
  }
}

function skipValue(reader: ByteReader, end: number, depthLeft: number): void {
  const first = take(reader, end)
  if (first === QUOTE) skipText(reader, end)
  else if (first === OPEN_BRACE) skipMembers(reader, end, depthLeft, CLOSE_BRACE)
  else if (first === OPEN_BRACKET) skipMembers(reader, end, depthLeft, CLOSE_BRACKET)
  else if (first === MINUS || isDigit(first)) skipNumber(reader, end, first)
  else skipLiteral(reader, end, first)
}

function skipLiteral(reader: ByteReader, end: number, first: number): void {
  const literal = LITERALS.get(first)
  if (literal === undefined) throw reader.malformed('a JSON value begins wrongly')
  for (const expected of literal) {
    if (take(reader, end) !== expected) throw reader.malformed('an unknown word in a JSON value')
  }
}

/** The rest of an object or array after its opening bracket. */
function skipMembers(reader: ByteReader, end: number, depthLeft: number, close: number): void {
  if (depthLeft < 1) throw reader.malformed('a JSON value nests too deep')
  skipSpace(reader, end)
  if (peek(reader, end) === close) {
    reader.position++
    return
  }
  while (true) {
    skipSpace(reader, end)
    if (close === CLOSE_BRACE) {
      if (take(reader, end) !== QUOTE) throw reader.malformed('a JSON object lacks a key')
      skipText(reader, end)
      skipSpace(reader, end)
      if (take(reader, end) !== COLON) throw reader.malformed('a JSON object lacks a colon')
      skipSpace(reader, end)
    }
    skipValue(reader, end, depthLeft - 1)
    skipSpace(reader, end)
    const next = take(reader, end)
    if (next === close) return
    if (next !== COMMA) throw reader.malformed('a JSON value lacks a comma')
  }
}

/** The rest of a string after its opening quote. */
function skipText(reader: ByteReader, end: number): void {
  while (true) {
    const byte = take(reader, end)
    if (byte === QUOTE) return
    if (byte < 0x20) throw reader.malformed('a control character in a JSON string')
    if (byte !== BACKSLASH) continue
    const escaped = take(reader, end)
    if (escaped === LOWER_U) {
      for (let count = 0; count < 4; count++) {
        if (!isHexDigit(take(reader, end))) throw reader.malformed('a bad escape in a JSON string')
      }
    } else if (!ESCAPES.has(escaped)) throw reader.malformed('a bad escape in a JSON string')
  }
}

/** The rest of a number: `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?` */
function skipNumber(reader: ByteReader, end: number, first: number): void {
  const digit = first === MINUS ? take(reader, end) : first
  if (!isDigit(digit)) throw reader.malformed('a JSON number lacks a digit')
  if (digit !== ZERO) skipDigits(reader, end)
  if (peek(reader, end) === DOT) {
    reader.position++
    skipSomeDigits(reader, end)
  }
  if ((peek(reader, end) | 0x20) === 0x65) {
    reader.position++
    const sign = peek(reader, end)
    if (sign === 0x2b || sign === MINUS) reader.position++
    skipSomeDigits(reader, end)
  }
}

function skipSomeDigits(reader: ByteReader, end: number): void {
  if (!isDigit(take(reader, end))) throw reader.malformed('a JSON number lacks a digit')
  skipDigits(reader, end)
}

function skipDigits(reader: ByteReader, end: number): void {
  while (isDigit(peek(reader, end))) reader.position++
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= 0x39
}

function isHexDigit(byte: number): boolean {
  const lower = byte | 0x20
  return isDigit(byte) || (lower >= 0x61 && lower <= 0x66)
}
