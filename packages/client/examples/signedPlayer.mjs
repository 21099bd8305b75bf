// Who plays: a key pair. Its public half is the player's name at the table, the private one signs what the player does.
// Browsers have such keys over https, and on localhost.

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const encode = text => new TextEncoder().encode(text)

/**
 * @param {JsonWebKey} [saved] of a player who was here before
 * @returns {Promise<import('./four-in-a-row.d.mts').Player>}
 */
export async function createPlayer(saved) {
  const { subtle } = crypto
  const key = saved
    ? await subtle.importKey('jwk', saved, ECDSA, true, ['sign'])
    : (await subtle.generateKey(ECDSA, true, ['sign', 'verify'])).privateKey
  const exported = await subtle.exportKey('jwk', key)
  return {
    id: `${exported.x}.${exported.y}`,
    saved: exported,
    sign: async text => [...new Uint8Array(await subtle.sign(ECDSA, key, encode(text)))],
  }
}

/** Whether a player has signed a text. What is no key or no signature, whatever it is, has signed nothing. */
export async function hasSigned(player, text, signature) {
  if (typeof player !== 'string' || !Array.isArray(signature)) return false
  const [x, y] = player.split('.')
  try {
    const key = await crypto.subtle.importKey('jwk', { kty: 'EC', crv: 'P-256', x, y }, ECDSA, false, ['verify'])
    return await crypto.subtle.verify(ECDSA, key, Uint8Array.from(signature), encode(text))
  } catch {
    return false
  }
}
