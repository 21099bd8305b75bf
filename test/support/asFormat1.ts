import { crc32c } from '../../server/dist/log/crc32c.js'

const LINE_BYTES = 'weft backup 2\n'.length

/** The same records behind the line of the format that had no files, with the checksums that follow from it. */
export function asFormat1(backup: Buffer): Buffer {
  const line = Buffer.from('weft backup 1\n')
  const parts: Buffer[] = [line]
  let crc = crc32c(line)
  for (let at = LINE_BYTES; at < backup.length; ) {
    const end = at + 5 + backup.readUInt32BE(at + 1)
    const content = backup.subarray(at, end)
    crc = crc32c(content, 0, content.length, crc)
    const checksum = Buffer.alloc(4)
    checksum.writeUInt32BE(crc)
    parts.push(content, checksum)
    at = end + 4
  }
  return Buffer.concat(parts)
}
