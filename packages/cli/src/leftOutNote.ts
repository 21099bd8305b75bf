import { quoteName } from './quoteName.ts'
import type { Content } from './ServerApi.ts'

/** Says that a form doesn't hold all of a document. */
export function leftOutNote(documentId: string, { leftOut }: Content): string {
  const things = leftOut === 1 ? '1 thing has' : `${leftOut} things have`
  return `weft: ${quoteName(documentId)}: ${things} no form here and ${leftOut === 1 ? 'is' : 'are'} left out; --format yjs has all`
}
