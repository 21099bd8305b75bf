import { expect, it } from 'vitest'
import { crc32c, unmaskCrc } from './crc32c.ts'

it('computes the values of RFC 3720, B.4', () => {
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43)
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e)
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => 31 - i))).toBe(0x113fdb5c)
})

it('computes a part as it computes a copy of it, at any alignment and length', () => {
  const bytes = Uint8Array.from({ length: 60 }, (_, i) => (i * 73) & 255)
  for (let from = 0; from < 20; from++) {
    for (let to = from; to < 60; to++) expect(crc32c(bytes, from, to)).toBe(crc32c(bytes.slice(from, to)))
  }
})

it("undoes LevelDB's mask", () => {
  const mask = (crc: number): number => ((((crc >>> 15) | (crc << 17)) >>> 0) + 0xa282ead8) >>> 0
  for (const crc of [0, 1, 0x8a9136aa, 0xffffffff]) expect(unmaskCrc(mask(crc))).toBe(crc)
})

it('goes on from the CRC of what stands before', () => {
  const bytes = Uint8Array.from({ length: 100 }, (_, i) => (i * 37) & 255)
  for (let at = 0; at <= bytes.length; at++) {
    expect(crc32c(bytes, at, bytes.length, crc32c(bytes, 0, at))).toBe(crc32c(bytes))
  }
})
