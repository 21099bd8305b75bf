import { UsageError } from '../errors.ts'
import { jsonLine } from '../jsonLine.ts'
import { quoteName } from '../quoteName.ts'
import { readDocumentId } from '../readDocumentId.ts'
import { readDuration } from '../readDuration.ts'
import { type ListedLink, ServerApi } from '../ServerApi.ts'
import { serverAddress } from '../serverAddress.ts'
import { defineVerb, serverOptions } from '../Verb.ts'

const ROLES = ['viewer', 'commenter', 'editor', 'owner']

export const linkVerb = defineVerb({
  name: 'link',
  summary: 'make, list and revoke share links',
  usage: ['link make DOCUMENT', 'link list [DOCUMENT]', 'link revoke LINK…'],
  details: `Whoever opens a share link gets into its document, in the link's role, until it ends. WEFT_TOKEN must be an owner of
the document (of every document to list all links). make prints the address, which is told this once: the server keeps
only a hash of the secret in it. list prints the links' ids, by which revoke takes them back; that ends the sessions of
all who came by them.

Exit code: 0 all done, 1 not all, 2 called in a wrong way.`,
  options: {
    ...serverOptions,
    role: { type: 'string', value: 'ROLE', help: `what it gives: ${ROLES.join(', ')} [viewer]` },
    expires: { type: 'string', value: 'TIME', help: 'its end, in minutes, hours or days: 30m, 12h, 90d [7d]' },
    uses: { type: 'string', value: 'N', help: 'how many people may get in by it [any number]' },
    json: { type: 'boolean', help: 'a JSON object per link' },
  },
  examples: [
    'weft link make team/notes --role editor --expires 30d',
    'weft link list team/notes',
    "weft link list --json | jq -r 'select(.uses == 0).id' | xargs weft link revoke",
  ],
  async run(positionals, values, { env, signal, print, note }) {
    const [action, ...names] = positionals
    const isMaking = action === 'make'
    for (const option of ['role', 'expires', 'uses'] as const) {
      if (!isMaking && values[option] !== undefined) throw new UsageError(`--${option} is for weft link make`)
    }
    const api = () => new ServerApi(serverAddress(values.url, env), signal)
    switch (action) {
      case 'make': {
        const [name, ...rest] = names
        if (name === undefined || rest.length > 0) throw new UsageError('expected one document (weft link --help)')
        const { role, expires, uses } = values
        if (role !== undefined && !ROLES.includes(role)) throw new UsageError(`--role is one of ${ROLES.join(', ')}`)
        if (uses !== undefined && !/^[1-9]\d{0,6}$/u.test(uses))
          throw new UsageError('--uses is a whole number from 1 on')
        const lifeMs = expires === undefined ? undefined : readDuration(expires, '--expires')
        const made = await api().makeLink({
          document: readDocumentId(name),
          ...(role !== undefined && { role }),
          ...(lifeMs !== undefined && { expiresAt: new Date(Date.now() + lifeMs).toISOString() }),
          ...(uses !== undefined && { maxUses: Number(uses) }),
        })
        print(values.json ? jsonLine(made) : made.url)
        return 0
      }
      case 'list': {
        const [name, ...rest] = names
        if (rest.length > 0) throw new UsageError('expected one document, or none (weft link --help)')
        for (const link of await api().listLinks(name === undefined ? null : readDocumentId(name))) {
          print(values.json ? jsonLine(link) : describe(link))
        }
        return 0
      }
      case 'revoke': {
        if (names.length === 0) throw new UsageError('expected a link’s id (weft link --help)')
        let exitCode = 0
        for (const id of names) {
          const problem = await api().revokeLink(id)
          if (problem !== null) {
            note(`weft: ${quoteName(id)}: ${problem}`)
            exitCode = 1
          }
          if (values.json) print(jsonLine({ id, revoked: problem === null, problem }))
        }
        return exitCode
      }
      default:
        throw new UsageError('expected make, list or revoke (weft link --help)')
    }
  },
})

function describe({ id, document, role, expiresAt, uses, maxUses, lastUsedAt, creator }: ListedLink): string {
  const count = maxUses === null ? `${uses}` : `${uses} of ${maxUses}`
  const used = lastUsedAt === null ? 'never used' : `used ${count}, last ${lastUsedAt.slice(0, 16)}Z`
  const by = creator === null ? '' : `, by ${quoteName(creator)}`
  return `${id}  ${quoteName(document)}  ${role}, until ${expiresAt.slice(0, 16)}Z, ${used}${by}`
}
