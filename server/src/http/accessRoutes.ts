import type { DocumentId } from '@weft/protocol'
import type { Request } from 'express'
import { z } from 'zod'
import type { Access } from '../access/Access.ts'
import { GUEST_PREFIX } from '../access/guests.ts'
import type { Links } from '../access/Links.ts'
import { madeUserId } from '../access/madeUsers.ts'
import type { Recheck } from '../access/Recheck.ts'
import type { Revocation, Revocations } from '../access/Revocations.ts'
import { includesRole, type Role, roles } from '../access/Role.ts'
import type { TokenSigner } from '../access/TokenSigner.ts'
import type { TrustedProxies } from '../access/TrustedProxies.ts'
import type { Audit } from '../audit/AuditEntry.ts'
import type { Clock } from '../clock.ts'
import { actorOf } from './ApiActor.ts'
import { ApiError } from './ApiError.ts'
import type { ApiGate } from './ApiGate.ts'
import { type ApiRoute, defineRoute } from './ApiRoute.ts'
import { documentName, documentPrefix, isoTime, orNull, personName, role, time, userId } from './apiSchemas.ts'

/** A token that an owner asks for is for so long unless it says otherwise, in ms. */
const DEFAULT_TOKEN_LIFE_MS = 60 * 60_000
const MAX_DOCS = 100
/** Tokens made with tokens that were made with tokens: each names all who made it. */
const MAX_MAKERS = 8
/** As `verifyToken` takes a `sub`. */
const MAX_USER_BYTES = 255

/** What each role may do beside what those before it may. */
const abilities: Readonly<Record<Role, readonly string[]>> = {
  viewer: ['read', 'be-seen'],
  commenter: ['comment'],
  editor: ['write', 'create'],
  owner: ['delete', 'restore', 'share', 'revoke', 'end-sessions'],
}

const revocationSchema = z
  .strictObject({
    id: z.string(),
    user: orNull(z.string()),
    made: z.boolean().meta({ description: 'of what that user made for others, too' }),
    link: orNull(z.string()),
    token: orNull(z.string()),
    document: orNull(z.string()),
    notBefore: time.meta({ description: 'tokens that were made by then' }),
    role: orNull(role).meta({ description: 'what they give at most; null: nothing' }),
    at: time,
    by: orNull(z.string()),
  })
  .meta({ id: 'Revocation' })

const accessSchema = z
  .strictObject({
    user: orNull(z.string()).meta({ description: 'whose token it is; null: nobody is asked' }),
    name: orNull(z.string()),
    document: orNull(z.string()),
    role: orNull(role).meta({
      description: 'what the token gives in the document (without one: in every one); null: nothing',
    }),
    expiresAt: orNull(time).meta({ description: 'the token’s end; null: nobody is asked' }),
    roles: z.array(z.strictObject({ role, may: z.array(z.string()) })).meta({ description: 'from least to most' }),
  })
  .meta({ id: 'Access' })

export interface AccessServices {
  readonly access: Access
  readonly links: Links
  readonly revocations: Revocations
  readonly signer: TokenSigner
  readonly gate: ApiGate
  readonly proxies: TrustedProxies
  readonly audit: Audit
  readonly clock: Clock
  readonly recheck: Pick<Recheck, 'ask'>
}

/** What a token gives; tokens that an owner makes; what is taken back. */
export function accessRoutes(services: AccessServices): ApiRoute[] {
  const { access, links, revocations, signer, gate, proxies, audit, clock, recheck } = services

  const tell = defineRoute({
    method: 'get',
    path: '/access',
    id: 'tellAccess',
    tag: 'access',
    summary: 'What the token gives, and what roles there are',
    description: 'Whoever has a token.',
    query: z.strictObject({ document: documentName.optional() }),
    answers: { 200: { description: 'the right', schema: accessSchema } },
    async handle({ request, query: { document } }) {
      const verified = await gate.verify(request)
      const grant = document === undefined ? access.grantEverywhere(verified) : access.grant(verified, document)
      const isRight = !('close' in grant)
      return {
        status: 200,
        body: {
          user: verified?.userId ?? null,
          name: verified?.name ?? null,
          document: document ?? null,
          role: verified === null ? 'owner' : isRight ? grant.role : null,
          expiresAt: verified === null ? null : isoTime(verified.exp * 1000),
          roles: roles.map(name => ({
            role: name,
            may: roles.filter(r => includesRole(name, r)).flatMap(r => abilities[r]),
          })),
        },
      }
    },
  })

  const makeToken = defineRoute({
    method: 'post',
    path: '/tokens',
    id: 'makeToken',
    tag: 'access',
    summary: 'Make a token for somebody',
    description:
      'An owner of all that it gives. It gives no more than the own token, and ends no later. Its `sub` is the own one, or `made:`, the own one and what was asked for; an owner of every document has any. It says who made it: what is revoked of a user is revoked of what that user made. Guests of a share link make none.',
    body: z.strictObject({
      user: userId.refine(user => !user.startsWith(GUEST_PREFIX), { error: `begins with ${GUEST_PREFIX}` }),
      name: personName.optional(),
      docs: z
        .array(
          z
            .strictObject({ document: documentName.optional(), prefix: documentPrefix.optional(), role })
            .refine(({ document, prefix }) => (document === undefined) !== (prefix === undefined), {
              error: 'either document or prefix',
            }),
        )
        .min(1)
        .max(MAX_DOCS),
      expiresAt: time.optional().meta({ description: 'else in an hour, or with the own token' }),
    }),
    answers: {
      201: {
        description: 'the token',
        schema: z.strictObject({ token: z.string(), id: z.string(), user: z.string(), expiresAt: time }),
      },
    },
    errors: ['no-keys', 'cross-site', 'bad-type', 'too-large'],
    async handle({ request, body }) {
      gate.needTokens()
      const maker = await gate.verify(request)
      if (maker === null || maker.linkId !== null) throw new ApiError('forbidden', 'a guest of a link makes no tokens')
      for (const { document, prefix, role: wanted } of body.docs) {
        if (document === undefined) await gate.admitWithin(request, prefix ?? '', 'owner')
        else await gate.admit(request, document, 'owner')
        if (!includesRole('owner', wanted)) throw new ApiError('forbidden', 'not more than the own role')
      }
      const now = clock.wallTime()
      const lastEnd = maker.exp * 1000
      const endsAt =
        body.expiresAt === undefined ? Math.min(lastEnd, now + DEFAULT_TOKEN_LIFE_MS) : Date.parse(body.expiresAt)
      if (endsAt <= now) throw new ApiError('bad-request', 'expiresAt is over')
      if (endsAt > lastEnd) throw new ApiError('forbidden', `the own token ends at ${isoTime(lastEnd)}`)
      const user = await nameUser(request, maker.userId, body.user)
      const { name = null } = body
      const docs = body.docs.map(({ document, prefix = '', role: given }) =>
        document === undefined ? { prefix, role: given } : { document, role: given },
      )
      const makers = [maker.userId, ...maker.makers]
      if (makers.length > MAX_MAKERS)
        throw new ApiError('forbidden', `a token is made by ${MAX_MAKERS} in a row at most`)
      const { token, tokenId } = await signer.sign({ userId: user, name, docs, linkId: null, makers, endsAt })
      const [only] = body.docs
      const document = body.docs.length === 1 ? (only?.document ?? null) : null
      const subject = `${tokenId} ${user}`
      audit.record({ ...actorOf(request, proxies, maker.userId), action: 'token-made', document, subject })
      return { status: 201, body: { token, id: tokenId, user, expiresAt: isoTime(Math.floor(endsAt / 1000) * 1000) } }
    },
  })

  /** Who a token is for. @throws {ApiError} `bad-request`: that would be too long */
  async function nameUser(request: Request, maker: string, wanted: string): Promise<string> {
    if (wanted === maker) return maker
    if (await gate.isHost(request)) return wanted
    const user = madeUserId(maker, wanted)
    if (Buffer.byteLength(user) <= MAX_USER_BYTES) return user
    throw new ApiError('bad-request', `user would be ${user}, over ${MAX_USER_BYTES} bytes`)
  }

  const revoke = defineRoute({
    method: 'post',
    path: '/revocations',
    id: 'revoke',
    tag: 'access',
    summary: 'Take back what tokens give',
    description:
      'Those to which all applies that is said: of a user, for a link, with an id (`jti`), in a document; and that were made by `notBefore`. An owner of the document; without one, an owner of every document. Of a `user` it is of the tokens and links that this user made, too, unless `made` is false. Sessions that they opened end with 4401 within a second, or do no more than `role` allows.',
    body: z
      .strictObject({
        user: userId.optional(),
        made: z.boolean().default(true).meta({
          description: 'where neither link nor token is given: of the tokens and links that the user made, too',
        }),
        link: z.string().max(64).optional(),
        token: z.string().min(1).max(255).optional(),
        document: documentName.optional(),
        notBefore: time.optional().meta({ description: 'else now' }),
        role: orNull(role).default(null).meta({ description: 'what they give at most, from now on; null: nothing' }),
      })
      .refine(({ user, link, token, document }) => [user, link, token, document].some(part => part !== undefined), {
        error: 'one of user, link, token and document at least',
      }),
    answers: { 201: { description: 'it counts, and is on disk', schema: revocationSchema } },
    errors: ['no-keys', 'too-many', 'cross-site', 'bad-type', 'too-large'],
    async handle({ request, body }) {
      gate.needTokens()
      const { user = null, link = null, token = null, document = null } = body
      const { userId: by } =
        document === null ? await gate.admitEverywhere(request, 'owner') : await gate.admit(request, document, 'owner')
      const now = clock.wallTime()
      const notBefore = body.notBefore === undefined ? now : Date.parse(body.notBefore)
      if (notBefore > now) throw new ApiError('bad-request', 'notBefore is to come')
      const isLinkThere = (id: string) => links.get(id) !== undefined
      const isOfMade = user !== null && link === null && token === null && body.made
      const tokens = { user, isOfMade, link, token, document, notBefore }
      const adding = revocations.add(tokens, body.role, by, isLinkThere, await gate.isHost(request))
      await recheck.ask()
      // Links outlive revocations, which go when no token is left: so they are changed themselves.
      const limitLinks = async () => (isOfMade ? links.limitMadeBy(user, { role: body.role, document, notBefore }) : [])
      const revocation = await adding.catch(async error => {
        // It counts until a restart all the same, and so does this.
        await limitLinks()
        throw error
      })
      if (revocation === null) throw new ApiError('too-many', 'there are as many revocations as the store may have')
      const changedLinks = await limitLinks()
      if (changedLinks.length > 0) await recheck.ask()
      const actor = actorOf(request, proxies, by)
      for (const { id, document: ofLink } of changedLinks) {
        const action = body.role === null ? 'link-revoked' : 'link-changed'
        audit.record({ ...actor, action, document: ofLink, subject: body.role === null ? id : `${id} ${body.role}` })
      }
      const what = [user && `user ${user}`, link && `link ${link}`, token && `token ${token}`]
      const subject = [...what, `role ${body.role ?? 'none'}`].filter(part => part !== null && part !== '').join(', ')
      audit.record({ ...actor, action: 'revoked', document, subject })
      return { status: 201, body: show(revocation) }
    },
  })

  const listRevocations = defineRoute({
    method: 'get',
    path: '/revocations',
    id: 'listRevocations',
    tag: 'access',
    summary: 'List what was taken back',
    description:
      'Those in a document for its owners; without one, all, for an owner of every document. They go when no token can be that old: after 24 hours.',
    query: z.strictObject({ document: documentName.optional() }),
    answers: {
      200: {
        description: 'the revocations, the oldest first',
        schema: z.strictObject({ revocations: z.array(revocationSchema) }),
      },
    },
    errors: ['no-keys'],
    async handle({ request, query: { document } }) {
      gate.needTokens()
      if (document === undefined) await gate.admitEverywhere(request, 'owner')
      else await gate.admit(request, document, 'owner')
      const found = revocations.list().filter(revocation => document === undefined || revocation.document === document)
      return { status: 200, body: { revocations: found.map(show) } }
    },
  })

  return [tell, makeToken, revoke, listRevocations]
}

function show({ document, notBefore, at, isOfMade, ...rest }: Revocation) {
  return {
    ...rest,
    made: isOfMade,
    document: document satisfies DocumentId | null as string | null,
    notBefore: isoTime(notBefore),
    at: isoTime(at),
  }
}
