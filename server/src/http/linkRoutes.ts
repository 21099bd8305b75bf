import { randomBytes } from 'node:crypto'
import type { DocumentId } from '@weft/protocol'
import type { Request } from 'express'
import { z } from 'zod'
import { networkOf } from '../access/address.ts'
import { GUEST_PREFIX, guestId } from '../access/guests.ts'
import type { Link, LinkRefusal, Links } from '../access/Links.ts'
import type { Recheck } from '../access/Recheck.ts'
import type { Revocations } from '../access/Revocations.ts'
import { includesRole } from '../access/Role.ts'
import type { Renewal, TokenSigner } from '../access/TokenSigner.ts'
import type { TrustedProxies } from '../access/TrustedProxies.ts'
import type { Audit } from '../audit/AuditEntry.ts'
import type { Clock } from '../clock.ts'
import { KeyedRate } from '../KeyedRate.ts'
import { actorOf } from './ApiActor.ts'
import { ApiError, tooFast } from './ApiError.ts'
import type { ApiGate } from './ApiGate.ts'
import { type ApiRoute, defineRoute } from './ApiRoute.ts'
import { documentName, isoTime, orNull, personName, role, time } from './apiSchemas.ts'
import { TryLimit } from './TryLimit.ts'

const DAY_MS = 24 * 60 * 60_000
/** A link is for so long unless it says otherwise, and at most, in ms. */
const DEFAULT_LIFE_MS = 7 * DAY_MS
const MAX_LIFE_MS = 366 * DAY_MS
/** A token for a link is for so long at most, in ms. */
const TOKEN_LIFE_MS = 15 * 60_000

/** People who come at once, in minutes of their rate. */
const BURST_MIN = 10
/** A link takes so many times what one address brings: nobody who has it keeps others from coming by it. */
const LINK_FACTOR = 10
/** A guest renews a token every 14 minutes, in each tab, and after each reload: one each so many s, and so many at once. */
const RENEWAL_S = 10
const RENEWAL_BURST = 100

const linkId = z.string().max(64).meta({ description: 'a link’s id' })

export const linkSchema = z
  .strictObject({
    id: linkId,
    document: z.string(),
    role,
    creator: orNull(z.string()).meta({ description: 'whose token made it' }),
    createdAt: time,
    expiresAt: time,
    lastUsedAt: orNull(time),
    uses: z.int().meta({ description: 'how many people got in by it' }),
    maxUses: orNull(z.int()),
  })
  .meta({ id: 'Link' })

const madeLink = linkSchema
  .extend({
    secret: z.string().meta({ description: 'told this once' }),
    url: z.string().meta({ description: 'what to give to people' }),
  })
  .meta({ id: 'MadeLink' })

const exchanged = z
  .strictObject({
    token: z.string().meta({ description: 'for 15 minutes at most' }),
    expiresAt: time.meta({ description: 'the token’s end' }),
    renewal: z.string().meta({ description: 'what to exchange for the next token; costs no use of the link' }),
    document: z.string(),
    role,
    user: z.string().meta({ description: 'the token’s `sub`' }),
    linkExpiresAt: time.meta({ description: 'after that there is no next token' }),
  })
  .meta({ id: 'ExchangedLink' })

export interface LinkServices {
  readonly links: Links
  readonly revocations: Revocations
  readonly signer: TokenSigner
  readonly gate: ApiGate
  readonly proxies: TrustedProxies
  readonly audit: Audit
  readonly clock: Clock
  /** Asked when tokens give less than before. */
  readonly recheck: Pick<Recheck, 'ask'>
  readonly settings: { readonly publicUrls: readonly string[]; readonly linkEntriesPerMinute: number }
}

/** Share links: made by owners, exchanged by whoever has one. */
export function linkRoutes(services: LinkServices): ApiRoute[] {
  const { links, revocations, signer, gate, proxies, audit, clock, recheck } = services
  const { publicUrls, linkEntriesPerMinute } = services.settings
  const tries = new TryLimit()
  const entries = KeyedRate.perMinute(linkEntriesPerMinute, BURST_MIN)
  const entriesOfLinks = KeyedRate.perMinute(LINK_FACTOR * linkEntriesPerMinute, BURST_MIN)
  const renewals = new KeyedRate(1 / RENEWAL_S, RENEWAL_BURST)

  /** @throws {ApiError} */
  async function owned(request: Request, id: string): Promise<{ link: Link; user: string | null }> {
    gate.needTokens()
    const link = links.find(id)
    // Whoever may know of no link learns nothing by asking.
    if (link === undefined) {
      await gate.readable(request)
      throw new ApiError('not-found', 'there is no such link')
    }
    const { userId } = await gate.admit(request, link.document, 'owner')
    return { link, user: userId }
  }

  const make = defineRoute({
    method: 'post',
    path: '/links',
    id: 'makeLink',
    tag: 'links',
    summary: 'Make a share link',
    description:
      'An owner of the document. Whoever has the link’s URL gets the role until the link ends. Its secret is told once, and kept only as a hash.',
    body: z.strictObject({
      document: documentName,
      role: role.default('viewer').meta({ description: 'what it gives; not more than the own' }),
      expiresAt: time.optional().meta({ description: 'its end, within 366 days; else in 7 days' }),
      maxUses: orNull(z.int().min(1).max(1_000_000))
        .default(null)
        .meta({ description: 'how many people may get in by it; null: any number' }),
    }),
    answers: { 201: { description: 'the link', schema: madeLink } },
    errors: ['no-keys', 'too-many', 'bad-type', 'too-large'],
    async handle({ request, body }) {
      gate.needTokens()
      const { document, maxUses } = body
      const grant = await gate.admit(request, document, 'owner')
      if (grant.userId?.startsWith(GUEST_PREFIX)) throw new ApiError('forbidden', 'a guest of a link makes no links')
      if (!includesRole(grant.role, body.role)) throw new ApiError('forbidden', `the token gives ${grant.role}`)
      const now = clock.wallTime()
      const expiresAt = body.expiresAt === undefined ? now + DEFAULT_LIFE_MS : Date.parse(body.expiresAt)
      if (expiresAt <= now) throw new ApiError('bad-request', 'expiresAt is over')
      if (expiresAt > now + MAX_LIFE_MS) throw new ApiError('bad-request', 'expiresAt is more than 366 days ahead')
      const makers = (await gate.verify(request))?.makers ?? []
      const wanted = { document, role: body.role, creator: grant.userId, makers, expiresAt, maxUses }
      const made = await links.make(wanted, await gate.isHost(request))
      if (made === null) throw new ApiError('too-many', 'there are as many links as a document, or the store, may have')
      const { link, secret } = made
      audit.record({ ...actorOf(request, proxies, grant.userId), action: 'link-made', document, subject: link.id })
      return { status: 201, body: { ...show(link), secret, url: `${baseOf(request)}/s#${secret}` } }
    },
  })

  const list = defineRoute({
    method: 'get',
    path: '/links',
    id: 'listLinks',
    tag: 'links',
    summary: 'List share links',
    description: 'Those of a document for its owners; without one, all, for an owner of every document.',
    query: z.strictObject({ document: documentName.optional() }),
    answers: {
      200: { description: 'the links, the oldest first', schema: z.strictObject({ links: z.array(linkSchema) }) },
    },
    errors: ['no-keys'],
    async handle({ request, query: { document } }) {
      gate.needTokens()
      if (document === undefined) await gate.admitEverywhere(request, 'owner')
      else await gate.admit(request, document, 'owner')
      return { status: 200, body: { links: links.list(document ?? null).map(show) } }
    },
  })

  const change = defineRoute({
    method: 'patch',
    path: '/links/{link}',
    id: 'changeLink',
    tag: 'links',
    summary: 'Change what a share link gives',
    description:
      'An owner of the document. Who came by it has a lesser role at once, and a greater one with the next token.',
    params: z.strictObject({ link: linkId }),
    body: z.strictObject({ role }),
    answers: { 200: { description: 'the link', schema: linkSchema } },
    errors: ['no-keys', 'not-found', 'bad-type', 'too-large'],
    async handle({ request, params, body }) {
      const { link, user } = await owned(request, params.link)
      // As they make none: what they open must not outlast the link that they came by.
      if (user?.startsWith(GUEST_PREFIX) && !includesRole(link.role, body.role)) {
        throw new ApiError('forbidden', 'a guest of a link makes no other link give more')
      }
      const changing = links.changeRole(link.id, body.role)
      const [changed] = await Promise.all([changing, recheck.ask()])
      if (changed === null) throw new ApiError('not-found', 'there is no such link')
      const subject = `${link.id} ${body.role}`
      audit.record({ ...actorOf(request, proxies, user), action: 'link-changed', document: link.document, subject })
      return { status: 200, body: show(changed) }
    },
  })

  const revoke = defineRoute({
    method: 'delete',
    path: '/links/{link}',
    id: 'revokeLink',
    tag: 'links',
    summary: 'Revoke a share link',
    description: 'An owner of the document. The sessions of all who came by it end within a second, with 4401.',
    params: z.strictObject({ link: linkId }),
    answers: {
      200: { description: 'it is gone', schema: z.strictObject({ link: linkId, revoked: z.literal(true) }) },
    },
    errors: ['no-keys', 'not-found', 'cross-site'],
    async handle({ request, params }) {
      const { link, user } = await owned(request, params.link)
      const revoking = links.revoke(link.id)
      await Promise.all([revoking, recheck.ask()])
      const { document, id } = link
      audit.record({ ...actorOf(request, proxies, user), action: 'link-revoked', document, subject: id })
      return { status: 200, body: { link: id, revoked: true } }
    },
  })

  const exchange = defineRoute({
    method: 'post',
    path: '/links/exchange',
    id: 'exchangeLink',
    tag: 'links',
    summary: 'Exchange a share link for a token',
    description:
      'Anybody who has the secret of one (the part of its URL behind `#`), or a `renewal` of an earlier exchange: the same person goes on, and that costs no use. Ten tries that fail within a minute, and the address waits; so it does, and so do all who come by the link, where very many come.',
    body: z
      .strictObject({
        secret: z.string().max(100).optional(),
        renewal: z.string().max(4096).optional(),
        name: personName.optional(),
      })
      .refine(({ secret, renewal }) => (secret === undefined) !== (renewal === undefined), {
        error: 'either secret or renewal',
      }),
    answers: { 200: { description: 'a token for the document', schema: exchanged } },
    errors: ['no-keys', 'not-found', 'link-over', 'too-fast', 'cross-site', 'bad-type', 'too-large'],
    async handle({ request, body }) {
      gate.needTokens()
      gate.admitAnybody(request)
      const address = networkOf(proxies.addressOf(request))
      // What we signed is no guess: nobody at the same address, or behind the same proxy, keeps a guest from going on.
      const known = body.renewal === undefined ? null : await signer.verifyRenewal(body.renewal)
      const waitMs = known === null ? tries.waitMs(address, clock.now()) : 0
      if (waitMs > 0) throw tooFast('too many tries from this address', waitMs, 'link-tries')
      const {
        link,
        user,
        name,
        role: given,
        issuedAt,
      } = known === null
        ? await enter(body.secret ?? null, body.name ?? null, address)
        : await renew(known, body.name ?? null)
      const endsAt = Math.min(clock.wallTime() + TOKEN_LIFE_MS, link.expiresAt)
      const docs = [{ document: link.document, role: given }]
      const { token } = await signer.sign({ userId: user, name, docs, linkId: link.id, endsAt })
      const renewal = await signer.signRenewal({ userId: user, name, linkId: link.id, issuedAt })
      if (body.secret !== undefined) {
        const { document, id } = link
        audit.record({ ...actorOf(request, proxies, user), action: 'link-used', document, subject: id })
      }
      return {
        status: 200,
        body: {
          token,
          expiresAt: isoTime(Math.floor(endsAt / 1000) * 1000),
          renewal,
          document: link.document,
          role: given,
          user,
          linkExpiresAt: isoTime(link.expiresAt),
        },
      }
    },
  })

  /** @param secret null: a renewal that we did not sign */
  async function enter(secret: string | null, name: string | null, address: string) {
    // Before it is used up: who is refused has cost nothing.
    const known = secret === null ? null : links.findBySecret(secret)
    if (known !== null) waitForEntry(known.id, address)
    const link = secret === null ? 'unknown' : await links.use(secret)
    if (typeof link === 'string') {
      tries.failed(address, clock.now())
      throw refused(link)
    }
    const user = guestId(link.id, randomBytes(9).toString('base64url'))
    return { link, user, name, role: link.role, issuedAt: clock.wallTime() }
  }

  /** Each who comes in has a token made, a write, and an entry in the audit log. @throws {ApiError} `too-fast` */
  function waitForEntry(link: string, address: string): void {
    const now = clock.now()
    const waitMs = entries.take(address, now)
    if (waitMs > 0) throw tooFast('too many come from this address', waitMs, 'link-entries')
    const linkWaitMs = entriesOfLinks.take(link, now)
    if (linkWaitMs > 0) throw tooFast('too many come by this link', linkWaitMs, 'link-entries')
  }

  async function renew({ userId, linkId, issuedAt, name }: Renewal, newName: string | null) {
    const waitMs = renewals.take(userId, clock.now())
    if (waitMs > 0) throw tooFast('too many renewals', waitMs, 'link-entries')
    const link = await links.useAgain(linkId)
    if (typeof link === 'string') throw refused(link)
    const identity = { userId, tokenId: userId, linkId, makers: [], issuedAt }
    // What was taken back of a guest's right stays so: the next token is a new one, of which no revocation speaks.
    const left = revocations.limit(link.role, identity, link.document)
    if (left === null) throw refused('unknown')
    return { link, user: userId, name: newName ?? name, role: left, issuedAt }
  }

  function refused(refusal: LinkRefusal): ApiError {
    switch (refusal) {
      case 'unknown':
        return new ApiError('not-found', 'there is no such link, or it was revoked')
      case 'expired':
        return new ApiError('link-over', 'this link has expired')
      case 'used-up':
        return new ApiError('link-over', 'this link was used as often as it may be')
    }
  }

  function baseOf(request: Request): string {
    const [publicUrl] = publicUrls
    if (publicUrl !== undefined) return publicUrl.replace(/\/+$/u, '')
    const isEncrypted = request.secure || proxies.protocolOf(request) === 'https'
    return `http${isEncrypted ? 's' : ''}://${proxies.hostOf(request) ?? 'localhost'}`
  }

  return [make, list, exchange, change, revoke]
}

function show({ document, createdAt, expiresAt, lastUsedAt, makers: _, ...rest }: Link) {
  return {
    ...rest,
    document: document satisfies DocumentId as string,
    createdAt: isoTime(createdAt),
    expiresAt: isoTime(expiresAt),
    lastUsedAt: lastUsedAt === null ? null : isoTime(lastUsedAt),
  }
}
