import { createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { AccessRecords } from './AccessRecords.ts'
import { Links } from './Links.ts'
import { ownKey } from './ownKey.ts'
import { Revocations } from './Revocations.ts'
import { TokenLimits } from './TokenLimits.ts'
import { TokenSigner } from './TokenSigner.ts'

/** Tokens that the server makes, and what is withdrawn. */
export interface OwnTokens {
  readonly links: Links
  readonly revocations: Revocations
  readonly limits: TokenLimits
  readonly signer: TokenSigner
}

/**
 * @param secret what tokens are signed with; null: the store has a key of its own, or nobody is asked
 * @param isAsking whether tokens are asked for
 * @throws {WeftError} as `ownKey`
 */
export async function openOwnTokens(
  records: AccessRecords,
  { secret, isAsking, dataFolder }: { secret: KeyObject | null; isAsking: boolean; dataFolder: string },
  clock: Clock,
): Promise<OwnTokens> {
  const links = new Links(records, clock)
  const revocations = new Revocations(records, clock)
  const key = secret === null ? await ownOrNone(isAsking, dataFolder) : derived(secret)
  return { links, revocations, limits: new TokenLimits(revocations, links), signer: new TokenSigner(key, clock) }
}

/** Not the secret itself: a token of the application is never taken for one of ours, to which `iss` and `aud` don't apply. */
function derived(secret: KeyObject): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', 'weft: own tokens', 32)))
}

async function ownOrNone(isAsking: boolean, dataFolder: string): Promise<KeyObject> {
  return isAsking ? ownKey(dataFolder) : createSecretKey(randomBytes(32))
}
