import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
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
  const key = secret ?? (isAsking ? await ownKey(dataFolder) : createSecretKey(randomBytes(32)))
  return { links, revocations, limits: new TokenLimits(revocations, links), signer: new TokenSigner(key, clock) }
}
