import { decodeBackup } from '@weft/server/decodeBackup'
import { counted, sized } from '../backup/amounts.ts'
import { type DamagedItem, damagedItem, placeOf, WITHOUT_FILES, whatIsIn } from '../backup/faults.ts'
import { NewFile } from '../backup/NewFile.ts'
import { passing } from '../backup/passing.ts'
import { withCommandErrors } from '../backup/storeErrors.ts'
import { CommandError, UsageError } from '../errors.ts'
import { escapeInvisible } from '../escapeInvisible.ts'
import { ServerApi } from '../ServerApi.ts'
import { serverAddress } from '../serverAddress.ts'
import { defineVerb, serverOptions } from '../Verb.ts'

export const backupVerb = defineVerb({
  name: 'backup',
  summary: 'write all documents and files of a running server to one file',
  usage: ['backup FILE', 'backup -'],
  details: `Writes all documents that the server has stored, deleted ones' tombstones too, as they are at one moment, and the
files that were put into them; people go on writing meanwhile. The backup is checked as it comes, written beside FILE
and put to disk; only then is it called FILE: what is called so is whole. A name that ends with .gz is compressed.
- is standard output.

Where the server has a secret, the token must give the role owner in every document (the prefix '').

What is not in it: the log of who did what (the data folder's audit), and the key TOKEN_KEY, which is made anew.

Exit code: 0 all is in FILE, 1 it isn't (damaged documents and files are named, and the others are in FILE), 2 called
in a wrong way.`,
  options: {
    ...serverOptions,
    force: { type: 'boolean', help: 'replace FILE if it is there' },
    json: { type: 'boolean', help: 'a JSON object: file, documents, deleted, files, bytes, damaged' },
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
    const counts = { documents: 0, deleted: 0, files: 0, bytes: 0 }
    const damaged: DamagedItem[] = []
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
            damaged.push(damagedItem(item))
            note(escapeInvisible(`weft: ${placeOf(item)}damaged in the store, and not in the backup: ${item.problem}`))
          } else if (item.type === 'withoutFiles') note(`weft: ${WITHOUT_FILES}`)
          else if (item.type === 'file') counts.files++
          else if (item.document.deletedAt === null) counts.documents++
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
      const size = target === null ? counts.bytes : target.bytes
      const line = `${whatIsIn(counts)} (${sized(size)})`
      if (isPiped) note(`weft: ${line}`)
      else print(line)
    }
    return damaged.length > 0 ? 1 : 0
  },
})
