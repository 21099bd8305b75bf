import { UsageError } from '../errors.ts'
import { jsonLine } from '../jsonLine.ts'
import { quoteName, unquoteName } from '../quoteName.ts'
import { ServerApi } from '../ServerApi.ts'
import { serverAddress } from '../serverAddress.ts'
import { defineVerb, serverOptions } from '../Verb.ts'

export const lsVerb = defineVerb({
  name: 'ls',
  summary: 'list documents',
  usage: ['ls [PREFIX]'],
  details: `Lists the documents that you may read, in the order of their names: all, or those that begin with PREFIX.
A name that isn't plain (a blank, a character that nobody sees) is printed in quotes, as JSON; every verb
takes it so.`,
  options: {
    ...serverOptions,
    json: { type: 'boolean', help: 'a JSON object per line: name, createdAt' },
  },
  examples: ['weft ls', 'weft ls team/', 'weft ls --json | head -3'],
  async run(positionals, values, { env, signal, print }) {
    const [prefix = '', ...rest] = positionals
    if (rest.length > 0) throw new UsageError('expected one prefix, or none (weft ls --help)')
    const api = new ServerApi(serverAddress(values.url, env), signal)
    for await (const document of api.list(unquoteName(prefix, 'the prefix'))) {
      signal.throwIfAborted()
      print(values.json ? jsonLine(document) : quoteName(document.name))
    }
    return 0
  },
})
