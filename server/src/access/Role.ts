import type { DocumentPart } from '@weft/protocol'

/**
 * What somebody may do in a document, from least to most: each role may do what those before it may. A commenter writes in the
 * document's comments, which are a document of their own, and there alone.
 */
export const roles = ['viewer', 'commenter', 'editor', 'owner'] as const

export type Role = (typeof roles)[number]

export function isRole(value: unknown): value is Role {
  return (roles as readonly unknown[]).includes(value)
}

/** Whether edits are taken from somebody in this role. */
export function mayWrite(role: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf('editor')
}

/** The role that writing in a document, or in a part of one, needs. */
export function writerOf(part: DocumentPart | null): Role {
  return part === 'comments' ? 'commenter' : 'editor'
}

/** Whether somebody in this role may do what needs another. */
export function includesRole(role: Role, needed: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(needed)
}

export function leastRole(a: Role, b: Role): Role {
  return includesRole(a, b) ? b : a
}
