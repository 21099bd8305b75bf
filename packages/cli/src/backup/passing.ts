/** The same chunks, each after something was done with it. */
export async function* passing(
  source: AsyncIterable<Uint8Array>,
  use: (chunk: Uint8Array) => void | Promise<void>,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    await use(chunk)
    yield chunk
  }
}
