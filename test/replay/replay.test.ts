import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { Random } from '../crdt/Random.ts'
import { testFolder, testServer } from '../support/testServer.ts'
import { type Edit, parseTrace, TraceError } from './readTrace.ts'
import { MismatchError, replay } from './replay.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Edits as somebody makes them: mostly the next letter, now and then elsewhere, sometimes a deletion. */
function generate(count: number, seed: number): { edits: Edit[]; text: string } {
  const random = new Random(seed)
  const edits: Edit[] = []
  let text = ''
  let caret = 0
  for (let i = 0; i < count; i++) {
    if (random.chance(0.02)) caret = random.below(text.length + 1)
    const deleted = random.chance(0.15) ? Math.min(caret, 1 + random.below(3)) : 0
    const inserted = deleted > 0 ? '' : random.pick(['a', 'e', ' ', 'ß', '漢', '€', 'the ', '\n'])
    edits.push([caret - deleted, deleted, inserted])
    text = text.slice(0, caret - deleted) + inserted + text.slice(caret)
    caret += inserted.length - deleted
  }
  return { edits, text }
}

async function run(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(join(root, 'node_modules', '.bin', 'tsx'), ['test/replay/main.ts', ...args], { cwd: root })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()))
  const code = await new Promise<number | null>(resolve => child.on('close', resolve))
  return { code, output }
}

describe('the replay of a trace', () => {
  it('ends with the text of the trace on all clients, and prints its figures', async () => {
    const folder = await testFolder()
    const { edits, text } = generate(3000, 1)
    const path = join(folder, 'trace.json.gz')
    const txns = edits.map(edit => ({ patches: [edit] }))
    await writeFile(path, gzipSync(JSON.stringify({ startContent: '', endContent: text, txns })))
    const { code, output } = await run(path)
    expect([code, output]).toEqual([0, expect.stringContaining('all three have the text of the trace')])
    expect(output).toContain('3 000 edits')
    expect(output).toMatch(/[\d ]+ edits\/s/)
    expect(output).toMatch(/saved [\d.]+ s after/)
    expect(output).toContain('raised rate limits')
    expect(output).toContain('WEFT_MESSAGES_PER_SECOND=')
  })

  it('takes a plain array of edits, and a server that runs already', async () => {
    const server = await testServer()
    const folder = await testFolder()
    const path = join(folder, 'trace.json')
    await writeFile(path, JSON.stringify(generate(500, 2).edits))
    const { code, output } = await run(path, '--url', `${server.socketUrl}/a/trace`)
    expect([code, output]).toEqual([0, expect.stringContaining('all three have the text of the trace')])
    expect(output).not.toContain('raised')
    // It isn't empty any more.
    const again = await run(path, '--url', `${server.socketUrl}/a/trace`)
    expect([again.code, again.output]).toEqual([1, expect.stringContaining('is not empty')])
  })

  it('keeps what was made at once together', async () => {
    const server = await testServer()
    const trace = parseTrace({
      startContent: 'begin ',
      txns: [
        {
          patches: [
            [6, 0, 'middle'],
            [0, 5, 'Begin'],
          ],
        },
        { patches: [[12, 0, ' end']] },
      ],
      endContent: 'Begin middle end',
    })
    const result = await replay(trace, `${server.socketUrl}/a`)
    expect(result).toMatchObject({ edits: 3, characters: 16 })
  })

  it('fails where the text is another one, and says where', async () => {
    const server = await testServer()
    const trace = parseTrace({ txns: [{ patches: [[0, 0, 'hello']] }], endContent: 'help' })
    await expect(replay(trace, `${server.socketUrl}/a`)).rejects.toThrow(MismatchError)
    await expect(replay(trace, `${server.socketUrl}/b`)).rejects.toThrow(/differ at 3: "lo" and "p"/)
  })

  it('fails with exit code 1 and a clear message for what is no trace', async () => {
    const folder = await testFolder()
    const path = join(folder, 'broken.json')
    await writeFile(path, '{"txns": [')
    for (const [args, message] of [
      [[path], /broken\.json is not JSON/],
      [[join(folder, 'missing.json')], /missing\.json cannot be read: ENOENT/],
      [[], /one trace, please/],
      [[path, '--speed', '9'], /--speed/],
    ] as const) {
      const { code, output } = await run(...args)
      expect([code, output]).toEqual([1, expect.stringMatching(message)])
      expect(output).not.toMatch(/\n {4}at /)
    }
  })

  it.each([
    [{}, /neither an array/],
    [{ txns: [{}] }, /transaction 0 has no patches/],
    [[[0, 0]], /edit 0 is not/],
    [
      [
        [0, 0, 'a'],
        [-1, 0, 'b'],
      ],
      /edit 1 is not/,
    ],
    [
      [
        [0, 0, 'a'],
        [0, 2, 'b'],
      ],
      /edit 1 .* outside of the text of 1 characters/,
    ],
    [{ txns: [], endContent: 5 }, /endContent is not a text/],
  ])('refuses %j', (json, message) => {
    expect(() => parseTrace(json)).toThrow(TraceError)
    expect(() => parseTrace(json)).toThrow(message)
  })
})
