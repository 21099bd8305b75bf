/** Forms that a document's content can be given in, and taken in (but `yjs`: that is an update). */
export const contentForms = ['markdown', 'html', 'json', 'yjs'] as const

export type ContentForm = (typeof contentForms)[number]

/**
 * - `bad-content`: it isn't what its form says, or no document can hold it;
 * - `too-complex`: working through it takes too long, or too much memory;
 * - `unknown-content`: the document holds what this version would delete in rewriting it;
 * - `not-text`: the document has nothing that the form could show, and something else: shapes of a drawing, say.
 */
export type ContentCode = 'bad-content' | 'too-complex' | 'unknown-content' | 'not-text'

/** Content that can't be taken in, or given out in that form. Nothing was changed. */
export class ContentError extends Error {
  override readonly name = 'ContentError'
  readonly code: ContentCode

  constructor(code: ContentCode, message: string) {
    super(message)
    this.code = code
  }
}
