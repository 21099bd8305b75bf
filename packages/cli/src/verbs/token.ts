import { BadTokenError } from '@weft/server/BadTokenError'
import { DocumentRights } from '@weft/server/DocumentRights'
import { readConfig } from '@weft/server/readConfig'
import { ConfigError } from '@weft/server/Setting'
import { SignJWT } from 'jose'
import { UsageError } from '../errors.ts'
import { jsonLine } from '../jsonLine.ts'
import { unquoteName } from '../quoteName.ts'
import { readDocumentId } from '../readDocumentId.ts'
import { readDuration } from '../readDuration.ts'
import { defineVerb } from '../Verb.ts'

const ROLES = ['viewer', 'commenter', 'editor', 'owner']
/** The server takes no longer `sub`. */
const MAX_USER_BYTES = 255
const DEFAULT_LIFE_MS = 60 * 60_000
/** The server takes none that lasts longer. */
const MAX_LIFE_MS = 24 * 60 * 60_000

export const tokenVerb = defineVerb({
  name: 'token',
  summary: 'make a token, to try things out',
  usage: ['token --user USER --document DOCUMENT…', 'token --user USER --prefix PREFIX…'],
  details: `Prints a token for the server whose secret is in WEFT_AUTH_SECRET, or in the file that WEFT_AUTH_SECRET_FILE names. No
server is asked. Who has the secret may make any token: keep it where the server is, and let your application make the
tokens of people. WEFT_AUTH_ISSUER and WEFT_AUTH_AUDIENCE, where they are set, are in the token.

Exit code: 0 it is printed, 2 called in a wrong way.`,
  options: {
    user: { type: 'string', value: 'USER', help: 'who it is for: an id' },
    name: { type: 'string', value: 'NAME', help: 'what others see [the id]' },
    document: { type: 'string', value: 'DOCUMENT', multiple: true, help: 'a document that it opens (repeatable)' },
    prefix: {
      type: 'string',
      value: 'PREFIX',
      multiple: true,
      help: "all documents below it, team/; '' is every document (repeatable)",
    },
    role: { type: 'string', value: 'ROLE', help: `what it gives there: ${ROLES.join(', ')} [editor]` },
    'no-create': { type: 'boolean', help: 'documents that are not there stay so' },
    expires: { type: 'string', value: 'TIME', help: 'its end, in minutes or hours: 30m, 12h; 24h at most [1h]' },
    json: { type: 'boolean', help: 'a JSON object, with its end' },
  },
  examples: [
    'weft token --user ann --name Ann --document team/notes --expires 30m',
    "WEFT_TOKEN=$(weft token --user admin --prefix '' --role owner) weft backup weft.weft.gz",
    'weft token --user bot --prefix team/ --role editor --no-create --json | jq -r .token',
  ],
  async run(positionals, values, { env, print }) {
    if (positionals.length > 0) throw new UsageError('expected options only (weft token --help)')
    const { user, name, role = 'editor', expires } = values
    if (user === undefined || user === '') throw new UsageError('--user says who it is for (weft token --help)')
    if (Buffer.byteLength(user) > MAX_USER_BYTES) throw new UsageError(`--user is over ${MAX_USER_BYTES} bytes`)
    if (!ROLES.includes(role)) throw new UsageError(`--role is one of ${ROLES.join(', ')}`)
    const lifeMs = expires === undefined ? DEFAULT_LIFE_MS : readDuration(expires, '--expires')
    if (lifeMs > MAX_LIFE_MS) throw new UsageError('--expires is 24h at most')
    const right = { role, ...(values['no-create'] && { create: false }) }
    const docs = [
      ...values.document.map(document => ({ document: readDocumentId(document), ...right })),
      ...values.prefix.map(prefix => ({ prefix: unquoteName(prefix, '--prefix'), ...right })),
    ]
    if (docs.length === 0) throw new UsageError('--document or --prefix says what it opens (weft token --help)')
    checkRights(docs)
    const secret = readSecret(env)
    const now = Math.floor(Date.now() / 1000)
    const exp = now + Math.floor(lifeMs / 1000)
    const token = await new SignJWT({
      docs,
      ...(name !== undefined && { name }),
      ...(env.WEFT_AUTH_ISSUER && { iss: env.WEFT_AUTH_ISSUER }),
      ...(env.WEFT_AUTH_AUDIENCE && { aud: env.WEFT_AUTH_AUDIENCE }),
    })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setSubject(user)
      .setIssuedAt(now)
      .setExpirationTime(exp)
      .sign(secret)
    print(values.json ? jsonLine({ token, expiresAt: new Date(exp * 1000).toISOString(), user, docs }) : token)
    return 0
  },
})

function checkRights(docs: readonly object[]): void {
  try {
    new DocumentRights(docs)
  } catch (error) {
    if (error instanceof BadTokenError) throw new UsageError(error.message.replace(/^docs\[\d+\]\.?/u, '').trim())
    throw error
  }
}

/** As the server reads it: what it would not start with is refused here, too. */
function readSecret({ WEFT_AUTH_SECRET, WEFT_AUTH_SECRET_FILE }: Readonly<Record<string, string | undefined>>) {
  try {
    const { authSecret } = readConfig({ WEFT_AUTH_SECRET, WEFT_AUTH_SECRET_FILE }, [])
    if (authSecret !== null) return authSecret
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(error.message)
    throw error
  }
  throw new UsageError('WEFT_AUTH_SECRET (or WEFT_AUTH_SECRET_FILE) must hold the server’s secret')
}
