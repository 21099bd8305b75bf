import { signal } from '@preact/signals'
import { readStored, writeStored } from './storage.ts'

/** Who writes on this device, as far as this device knows. */
export interface Me {
  /** Random, kept on this device: the person's colour follows it, and two tabs are one person. */
  id: string
  /** Empty until the person gives one. */
  name: string
}

const KEY = 'weft.me'

export const maxNameLength = 60

/** What a person without a name is called. */
export const namelessName = 'Guest'

/** The person from what is stored; `null` if nothing usable is. */
export function parseMe(stored: string | null): Me | null {
  try {
    const value: unknown = JSON.parse(stored ?? 'null')
    if (typeof value !== 'object' || value === null) return null
    const { id, name } = value as Record<string, unknown>
    if (typeof id !== 'string' || id === '') return null
    return { id, name: typeof name === 'string' ? cleanName(name) : '' }
  } catch {
    return null
  }
}

/** A name as it is kept: one line, no blanks at the ends, not too long. */
export function cleanName(name: string): string {
  return [...name.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim()].slice(0, maxNameLength).join('').trim()
}

function newId(): string {
  return [...crypto.getRandomValues(new Uint8Array(12))].map(byte => byte.toString(16).padStart(2, '0')).join('')
}

function loadMe(): Me {
  const stored = parseMe(readStored(KEY))
  if (stored !== null) return stored
  const me = { id: newId(), name: '' }
  writeStored(KEY, JSON.stringify(me))
  return me
}

export const me = signal<Me>(loadMe())

export function setMyName(name: string): void {
  const cleaned = cleanName(name)
  if (cleaned === me.value.name) return
  me.value = { ...me.value, name: cleaned }
  writeStored(KEY, JSON.stringify(me.value))
}

/** Follows a name that is given in another tab. Called once. */
export function startMe(): void {
  window.addEventListener('storage', event => {
    if (event.key !== KEY) return
    const stored = parseMe(readStored(KEY))
    if (stored !== null) me.value = stored
  })
}
