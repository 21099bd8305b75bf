import { type Role, roles } from '../../server/src/access/Role.ts'

/** What an action needs: nothing, any token that counts, a role in the document, or an owner's in every document. */
export type Need = 'nothing' | 'a token' | Role | 'owner of all'

/** Every request of the HTTP API, by its id in the OpenAPI document; with ` (…)` another form of the same. */
export const requestNeeds: Readonly<Record<string, Need>> = {
  describeApi: 'nothing',
  exchangeLink: 'nothing',
  endBrowserSession: 'nothing',
  tellSession: 'a token',
  beginSession: 'a token',
  tellAccess: 'a token',
  listDocuments: 'a token',
  listBin: 'a token',
  readDocument: 'viewer',
  'readDocument (comments)': 'viewer',
  describeDocument: 'viewer',
  readUpload: 'viewer',
  'mergeUpdate (comments)': 'commenter',
  writeDocument: 'editor',
  mergeUpdate: 'editor',
  upload: 'editor',
  deleteDocument: 'owner',
  restoreDocument: 'owner',
  makeLink: 'owner',
  listLinks: 'owner',
  changeLink: 'owner',
  revokeLink: 'owner',
  makeToken: 'owner',
  revoke: 'owner',
  listRevocations: 'owner',
  listSessions: 'owner',
  endSession: 'owner',
  'listLinks (all)': 'owner of all',
  'revoke (everywhere)': 'owner of all',
  'listRevocations (all)': 'owner of all',
  'listSessions (all)': 'owner of all',
  readAudit: 'owner of all',
  backUp: 'owner of all',
}

/** What is done in a session, in each of the three dialects. */
export const sessionNeeds = {
  read: 'viewer',
  'show awareness': 'viewer',
  'read comments': 'viewer',
  'write comments': 'commenter',
  write: 'editor',
  'delete content': 'editor',
  'send ephemeral messages': 'editor',
} as const satisfies Record<string, Need>

/** What a bearer counts as: nobody, somebody without a right here, or a role; an owner of some documents, or of all. */
export type Standing = 'nobody' | 'elsewhere' | Role | 'owner of all'

export const bearers: Readonly<Record<string, Standing>> = {
  'no token': 'nobody',
  'a token that is none': 'nobody',
  'a token that has expired': 'nobody',
  'an editor whose token ends while connected': 'nobody',
  'a token for another audience': 'nobody',
  'a token of another issuer': 'nobody',
  'a token signed with another key': 'nobody',
  'a token signed with none': 'nobody',
  'a token that was revoked': 'nobody',
  'an owner of another document': 'elsewhere',
  'a token without documents': 'elsewhere',
  'a viewer': 'viewer',
  'a commenter': 'commenter',
  'an editor who was made a viewer': 'viewer',
  'an editor': 'editor',
  'an owner of these documents': 'owner',
  'an owner of all documents': 'owner of all',
}

export type Outcome = 'may' | 'unauthorized' | 'forbidden'

const ranks: readonly string[] = [...roles, 'owner of all'] satisfies Need[]
const columns: readonly Standing[] = ['nobody', 'elsewhere', ...roles, 'owner of all']

/** One cell. */
export function expected(need: Need, standing: Standing): Outcome {
  if (need === 'nothing') return 'may'
  if (standing === 'nobody') return 'unauthorized'
  if (need === 'a token') return 'may'
  if (standing === 'elsewhere') return 'forbidden'
  return ranks.indexOf(standing) >= ranks.indexOf(need) ? 'may' : 'forbidden'
}

const titles: Readonly<Record<Standing, string>> = {
  nobody: 'no token that counts',
  elsewhere: 'a right elsewhere',
  viewer: 'viewer',
  commenter: 'commenter',
  editor: 'editor',
  owner: 'owner',
  'owner of all': 'owner of all',
}

/** Which column says what each bearer may do, as SECURITY.md has it. */
export function bearerTable(): string {
  const rows = Object.entries(bearers).map(([bearer, standing]) => `| ${bearer} | ${titles[standing]} |`)
  return ['| whoever has | may do what stands under |', '| --- | --- |', ...rows, ''].join('\n')
}

/** The matrix as SECURITY.md has it. */
export function matrixTable(): string {
  const row = (action: string, need: Need) => {
    const cells = columns.map(standing => (expected(need, standing) === 'may' ? 'yes' : '–'))
    return `| ${action} | ${cells.join(' | ')} |`
  }
  return [
    `| | ${columns.map(column => titles[column]).join(' | ')} |`,
    `| --- |${' --- |'.repeat(columns.length)}`,
    ...Object.entries(sessionNeeds).map(([action, need]) => row(`in a session: ${action}`, need)),
    ...Object.entries(requestNeeds).map(([action, need]) =>
      row(`\`${action.split(' ')[0]}\`${action.slice(action.split(' ')[0]?.length)}`, need),
    ),
    '',
  ].join('\n')
}
