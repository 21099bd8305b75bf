import { describe, expect, it } from 'vitest'
import { UsageError } from '../errors.ts'
import { importVerb } from './import.ts'

function run(args: readonly string[], env: Record<string, string> = {}): Promise<number> {
  const silent = () => {}
  return importVerb.run(args, {
    env,
    signal: new AbortController().signal,
    print: silent,
    note: silent,
    progress: silent,
    write: async () => {},
    readInput: async () => Buffer.of(),
  })
}

describe('a call that is wrong', () => {
  it.each([
    [[], 'expected weft import'],
    [['redis', 'x'], 'redis is no store'],
    [['constructor', 'x'], 'constructor is no store'],
    [['y-leveldb'], 'expected weft import'],
    [['y-leveldb', 'a', 'b'], 'expected weft import'],
    [['y-leveldb', 'a', '--urls', 'x'], /^--urls is no option of weft import \(weft import --help\)$/],
    [['y-leveldb', 'a', '--dryrun'], /^--dryrun is no option of weft import \(weft import --help\)$/],
    [['y-leveldb', 'a', '--constructor=x'], /^--constructor is no option of weft import /],
    [['y-leveldb', 'a', '-n'], /^-n is no option of weft import /],
    [['y-leveldb', 'a', '--url', '--json'], /^[^\n]*--url[^\n]*$/],
    [['y-leveldb', 'a', '--url'], '--url'],
    [['y-leveldb', 'a', '--url', 'localhost:9091'], "--url is 'localhost:9091'"],
    [['y-leveldb', 'a', '--url', 'http://host/?x=1'], '--url'],
    [['y-leveldb', 'a', '--rename', 'a'], 'expected OLD=NEW'],
    [['y-leveldb', 'a', '--renames', '/nowhere.json'], '/nowhere.json'],
  ])('%j: says what is expected', async (args, message) => {
    await expect(run(args)).rejects.toThrow(UsageError)
    await expect(run(args)).rejects.toThrow(message)
  })

  it('says where a wrong address comes from', async () => {
    await expect(run(['y-leveldb', 'a'], { WEFT_URL: 'here' })).rejects.toThrow("WEFT_URL is 'here'")
  })
})
