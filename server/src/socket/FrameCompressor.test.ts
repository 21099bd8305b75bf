import { randomBytes } from 'node:crypto'
import { constants, inflateRawSync } from 'node:zlib'
import { encodeAddress, encodeUpdate } from '@weft/protocol'
import { expect, it } from 'vitest'
import { addressFrames, encodeFrame, encodeUpdateFrame, payloadBegin, payloadLength } from '../room/encodeFrame.ts'
import { FrameCompressor } from './FrameCompressor.ts'

/** The messages in frames, inflated where they are compressed (RFC 7692, section 7.2.2). */
function messagesOf(frames: Buffer): { message: Buffer; isCompressed: boolean }[] {
  const messages = []
  for (let at = 0; at < frames.length; ) {
    const isCompressed = (frames.readUInt8(at) & 0x40) !== 0
    const begin = payloadBegin(frames, at)
    const end = begin + payloadLength(frames, at)
    const payload = frames.subarray(begin, end)
    const stream = Buffer.concat([payload, Buffer.of(0, 0, 255, 255)])
    messages.push({
      message: isCompressed ? inflateRawSync(stream, { finishFlush: constants.Z_SYNC_FLUSH }) : payload,
      isCompressed,
    })
    at = end
  }
  return messages
}

const words = (length: number) => Buffer.from('again and again '.repeat(length / 16))

it('leaves what is small, and what does not get smaller', () => {
  const compressor = new FrameCompressor()
  for (const message of [new Uint8Array(), words(992), randomBytes(2000)]) {
    const frames = encodeFrame(message)
    expect(compressor.compress(frames)).toBe(frames)
  }
})

it('compresses each of several messages that is worth it, in their order', async () => {
  const compressor = new FrameCompressor()
  const messages = [words(16), words(1600), randomBytes(1200), words(8000)]
  for (const more of [[], [words(160_000)]]) {
    const all = [...messages, ...more]
    const compressed = messagesOf(await compressor.compress(Buffer.concat(all.map(encodeFrame))))
    expect(compressed.map(({ message }, i) => message.equals(all[i] ?? words(16)))).toEqual(all.map(() => true))
    expect(compressed.map(({ isCompressed }) => isCompressed)).toEqual([
      false,
      true,
      false,
      true,
      ...more.map(() => true),
    ])
  }
})

it('compresses the same frames once, whoever asks', async () => {
  const compressor = new FrameCompressor()
  const small = encodeFrame(words(1600))
  expect(compressor.compress(small)).toBe(compressor.compress(small))
  const large = encodeFrame(words(160_000))
  const promise = compressor.compress(large)
  expect(promise).toBeInstanceOf(Promise)
  expect(compressor.compress(large)).toBe(promise)
  expect(compressor.compress(large)).toBe(promise)
  const compressed = await promise
  expect(compressor.compress(large)).toBe(compressed)
})

it('sends as it is what comes while 32 MiB wait', async () => {
  const compressor = new FrameCompressor()
  const first = compressor.compress(encodeFrame(Buffer.alloc(33 << 20)))
  const second = encodeFrame(words(160_000))
  expect(first).toBeInstanceOf(Promise)
  expect(compressor.compress(second)).toBe(second)
  await first
  expect(compressor.compress(second)).toBeInstanceOf(Promise)
})

it('lets an address go before what is compressed, which stays as it is', async () => {
  const compressor = new FrameCompressor()
  for (const size of [1600, 64_000, 1_600_000]) {
    for (const address of ['a', 'team/notes\0session', 'ü'.repeat(127)]) {
      const update = words(size)
      const compressed = await compressor.compress(encodeUpdateFrame(update))
      const [addressed] = messagesOf(Buffer.concat(addressFrames(compressed, address)))
      expect(addressed?.isCompressed).toBe(true)
      expect(addressed?.message.equals(Buffer.concat([encodeAddress(address), encodeUpdate(update)]))).toBe(true)
    }
  }
})
