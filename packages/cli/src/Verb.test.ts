import { describe, expect, it } from 'vitest'
import { UsageError } from './errors.ts'
import { defineVerb } from './Verb.ts'

/** Runs a verb that tells what it was given. */
async function given(...args: string[]) {
  let said: unknown
  const verb = defineVerb({
    name: 'do',
    summary: 'do something',
    usage: ['do THING…'],
    details: 'Does it.',
    options: {
      fast: { type: 'boolean', help: 'soon' },
      how: { type: 'string', value: 'WAY', help: 'the way' },
      with: { type: 'string', value: 'TOOL', multiple: true, help: 'a tool' },
    },
    examples: ['weft do this'],
    run: async (positionals, values) => {
      said = [positionals, values.fast, values.how, values.with]
      return 0
    },
  })
  const silent = () => {}
  const { signal } = new AbortController()
  const surroundings = { env: {}, signal, print: silent, note: silent, progress: silent }
  await verb.run(args, { ...surroundings, write: async () => {}, readInput: async () => Buffer.of() })
  return said
}

describe('arguments', () => {
  it('are positionals and options, in any order', async () => {
    expect(await given()).toEqual([[], false, undefined, []])
    expect(await given('a', '--fast', '--how', 'so', 'b', '--with', '1', '--with=2')).toEqual([
      ['a', 'b'],
      true,
      'so',
      ['1', '2'],
    ])
  })

  it('may begin with a dash where they are text', async () => {
    expect(await given('- an item', '-', '-5', '--how', '-1 day', '--', '--fast', '-x')).toEqual([
      ['- an item', '-', '-5', '--fast', '-x'],
      false,
      '-1 day',
      [],
    ])
  })

  it('that look like options and are none are refused', async () => {
    for (const args of [['--slow'], ['-x'], ['-F'], ['--how'], ['--fast=yes']]) {
      await expect(given(...args)).rejects.toThrow(UsageError)
    }
  })
})
