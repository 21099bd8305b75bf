import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'

/** Algorithms of public keys: RFC 7518, section 3.1, and RFC 8037. The kind of the key decides; a token only has to agree. */
export const PUBLIC_ALGORITHMS = ['EdDSA', 'ES256', 'RS256'] as const

type PublicAlgorithm = (typeof PUBLIC_ALGORITHMS)[number]

/** RFC 7518, section 3.3. */
const MIN_RSA_BITS = 2048
/** Two are published while rotating; large providers have a dozen. Each may cost a signature's check for a token without a key id. */
const MAX_KEYS = 32

/** Text that holds no keys as it should; the message says why, without any of it. */
export class BadKeysError extends Error {
  override readonly name = 'BadKeysError'
}

interface PublicKey {
  readonly kid: string | null
  readonly algorithm: PublicAlgorithm
  readonly key: KeyObject
}

/** Public keys, each bound to the one algorithm of its kind. */
export class PublicKeys {
  static readonly NONE = new PublicKeys([])
  readonly #keys: readonly PublicKey[]

  private constructor(keys: readonly PublicKey[]) {
    this.#keys = keys
  }

  /**
   * Reads a JWKS (RFC 7517; keys of other kinds or for other uses are passed over), or one or more keys or certificates in PEM.
   * @throws {BadKeysError} it is neither, has no usable key, too many, or a private one
   */
  static parse(text: string): PublicKeys {
    const keys = text.trimStart().startsWith('{') ? readJwks(text) : readPem(text)
    if (keys.length === 0) throw new BadKeysError('it holds no public key for EdDSA, ES256 or RS256')
    if (keys.length > MAX_KEYS) throw new BadKeysError(`it holds ${keys.length} keys, over ${MAX_KEYS}`)
    return new PublicKeys(keys)
  }

  get count(): number {
    return this.#keys.length
  }

  knows(kid: string): boolean {
    return this.#keys.some(key => key.kid === kid)
  }

  /** As `KeySource.candidates`: those with the id, else those without any. */
  candidates(algorithm: string, kid: string | null): readonly KeyObject[] {
    const fitting = this.#keys.filter(key => key.algorithm === algorithm)
    const named = kid === null ? [] : fitting.filter(key => key.kid === kid)
    const possible = named.length > 0 ? named : fitting.filter(key => kid === null || key.kid === null)
    return possible.map(({ key }) => key)
  }
}

function readPem(text: string): PublicKey[] {
  if (/-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/u.test(text)) throw new BadKeysError('it holds a private key')
  const blocks = text.match(/-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \1-----/gu) ?? []
  return blocks.map(block => {
    const key = toPublicKey(block)
    const algorithm = key && algorithmOf(key)
    if (key === null || algorithm === null) {
      throw new BadKeysError('it holds a key that is none of Ed25519, P-256 and RSA of 2048 bits or more')
    }
    return { kid: null, algorithm, key }
  })
}

function readJwks(text: string): PublicKey[] {
  let set: unknown
  try {
    set = JSON.parse(text)
  } catch {
    throw new BadKeysError('it is no JSON')
  }
  const list = (set as { keys?: unknown }).keys
  if (!Array.isArray(list)) throw new BadKeysError('it has no list named keys')
  return list.flatMap(readJwk)
}

function readJwk(entry: unknown): PublicKey[] {
  if (typeof entry !== 'object' || entry === null) throw new BadKeysError('one of its keys is no object')
  const jwk = entry as JsonWebKey & Record<'kid' | 'alg' | 'use' | 'key_ops', unknown>
  // A secret in public: whoever put it there has given it away.
  if (jwk.d !== undefined || jwk.k !== undefined) throw new BadKeysError('it holds a private key')
  const isForSignatures = jwk.use === undefined || jwk.use === 'sig'
  const verifies = jwk.key_ops === undefined || (Array.isArray(jwk.key_ops) && jwk.key_ops.includes('verify'))
  if (!isForSignatures || !verifies) return []
  const key = toPublicKey({ key: jwk, format: 'jwk' })
  const algorithm = key && algorithmOf(key)
  if (key === null || algorithm === null) return []
  // `Ed25519` is the newer name for EdDSA with this curve (RFC 9864).
  const said = jwk.alg === 'Ed25519' ? 'EdDSA' : jwk.alg
  if (said !== undefined && said !== algorithm) return []
  return [{ kid: typeof jwk.kid === 'string' ? jwk.kid : null, algorithm, key }]
}

function toPublicKey(input: Parameters<typeof createPublicKey>[0]): KeyObject | null {
  try {
    return createPublicKey(input)
  } catch {
    return null
  }
}

function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails: details }: KeyObject): PublicAlgorithm | null {
  switch (asymmetricKeyType) {
    case 'ed25519':
      return 'EdDSA'
    case 'ec':
      return details?.namedCurve === 'prime256v1' ? 'ES256' : null
    case 'rsa':
      return (details?.modulusLength ?? 0) >= MIN_RSA_BITS ? 'RS256' : null
    default:
      return null
  }
}
