import { decodeBackup } from '@weft/server/decodeBackup'
import { counted, sized } from '../backup/amounts.ts'
import { NewFile } from '../backup/NewFile.ts'
import { passing } from '../backup/passing.ts'
import { withCommandErrors } from '../backup/storeErrors.ts'
import { CommandError, UsageError } from '../errors.ts'
import { escapeInvisible } from '../escapeInvisible.ts'
import { quoteName } from '../quoteName.ts'
import { ServerApi } from '../ServerApi.ts'
import { serverAddress } from '../serverAddress.ts'
import { defineVerb, serverOptions } from '../Verb.ts'

export const backupVerb = defineVerb({
  name: 'backup',
  summary: 'write all documents of a running server to one file',
  usage: ['backup FILE', 'backup -'],
  details: `Writes everything that the server has stored, deleted documents' tombstones too, as it is at one moment; people go
on writing meanwhile. The backup is checked as it comes, written beside FILE and put to disk; only then is it
called FILE: what is called so is whole. A name that ends with .gz is compressed. - is standard output.

Where the server has a secret, the token must give the role owner in every document (the prefix '').

Exit code: 0 all is in FILE, 1 it isn't (damaged documents are named, and the others are in FILE), 2 called in a
wrong way.`,
  options: {
    ...serverOptions,
    force: { type: 'boolean', help: 'replace FILE if it is there' },
    json: { type: 'boolean', help: 'a JSON object: file, documents, deleted, bytes, damaged' },
  },
  examples: [
    'weft backup weft.weft.gz',
    'weft backup "backup-$(date +%F).weft.gz"',
    'weft backup - | ssh elsewhere "cat > weft.weft"',
  ],
  async run([file, ...rest], values, surroundings) {
    if (file === undefined || file === '' || rest.length > 0)
      throw new UsageError('expected a file (weft backup --help)')
    const isPiped = file === '-'
    if (isPiped && values.json) throw new UsageError('--json needs a file: standard output has the backup')
    const { env, signal, print, note, progress } = surroundings
    const api = new ServerApi(serverAddress(values.url, env), signal)
    const target = isPiped ? null : await NewFile.begin(file, values.force)
    const counts = { documents: 0, deleted: 0, bytes: 0 }
    const damaged: { document: string | null; problem: string }[] = []
    try {
      const chunks = passing(api.backup(), chunk => {
        signal.throwIfAborted()
        counts.bytes += chunk.length
        return target === null ? surroundings.write(chunk) : target.write(chunk)
      })
      await withCommandErrors('the server', async () => {
        for await (const item of decodeBackup(chunks)) {
          if (item.type === 'broken') throw new CommandError(`the backup came damaged: ${item.problem}`)
          if (item.type === 'damaged') {
            damaged.push({ document: item.name, problem: item.problem })
            const name = item.name === null ? '' : `${quoteName(item.name)}: `
            note(escapeInvisible(`weft: ${name}damaged in the store, and not in the backup: ${item.problem}`))
            continue
          }
          if (item.document.deletedAt === null) counts.documents++
          else counts.deleted++
          progress(`${counted(counts.documents + counts.deleted, 'document')}, ${sized(counts.bytes)}`)
        }
      })
      signal.throwIfAborted()
      await target?.finish()
    } finally {
      await target?.discard()
    }
    if (values.json) print(JSON.stringify({ file, ...counts, damaged }))
    else {
      const deleted = counts.deleted > 0 ? `, ${counts.deleted} deleted` : ''
      const size = target === null ? counts.bytes : target.bytes
      const line = `${counted(counts.documents, 'document')}${deleted} (${sized(size)})`
      if (isPiped) note(`weft: ${line}`)
      else print(line)
    }
    return damaged.length > 0 ? 1 : 0
  },
})
