import { BadDocumentIdError, type DocumentId, parseDocumentId } from '@weft/protocol'
import { z } from 'zod'
import { roles } from '../access/Role.ts'

// What several routes speak of.

function nameFault(name: string): string | null {
  try {
    parseDocumentId(name)
    return null
  } catch (error) {
    if (error instanceof BadDocumentIdError) return error.message
    throw error
  }
}

/** A document's name in JSON or a query. */
export const documentName = z
  .string()
  .check(context => {
    const fault = nameFault(context.value)
    if (fault !== null) context.issues.push({ code: 'custom', input: context.value, message: fault })
  })
  .meta({ description: 'a document’s name: 1 to 255 bytes', examples: ['team/notes'] })
  .transform(name => name as DocumentId)

export const role = z.enum(roles).meta({ description: 'each may do what those before it may' })

export const time = z.iso.datetime().meta({ description: 'ISO 8601, UTC', examples: ['2027-01-31T12:00:00.000Z'] })

export const orNull = <T extends z.ZodType>(schema: T) => z.union([schema, z.null()])

/** Somebody's name, as it is shown to others. */
export const personName = z.string().trim().min(1).max(100).meta({ description: 'how others see them' })

export const userId = z.string().min(1).max(255).meta({ description: 'a token’s `sub`' })

export const limit = (fallback: number, max: number) =>
  z.coerce
    .number()
    .int()
    .min(1)
    .max(max)
    .default(fallback)
    .meta({ description: `at most so many; ${fallback}` })

export function isoTime(time: number): string {
  return new Date(time).toISOString()
}

/** All documents whose names begin so; whole segments. */
export const documentPrefix = z
  .string()
  .check(context => {
    const prefix = context.value
    const isFolder = prefix === '' || prefix.endsWith('/')
    const fault = isFolder ? nameFault(`${prefix}a`) : 'it does not end with a slash'
    if (fault !== null) context.issues.push({ code: 'custom', input: prefix, message: fault })
  })
  .meta({ description: 'a folder, with a slash at its end; or nothing: every document', examples: ['team/', ''] })
