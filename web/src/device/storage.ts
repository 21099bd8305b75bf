/** What this device keeps under `key`; `null` where nothing is kept or the browser forbids storage. */
export function readStored(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

/**
 * Keeps `value` on this device, or forgets what is kept (`null`).
 * @returns whether it is kept: a browser can forbid storage, or have no room.
 */
export function writeStored(key: string, value: string | null): boolean {
  try {
    if (value === null) localStorage.removeItem(key)
    else localStorage.setItem(key, value)
    return true
  } catch {
    return false
  }
}
