import type { DocumentId } from '@weft/protocol'
import type { DecodedName } from './decodeName.ts'

/** One document of another server's store. */
export interface SourceDocument extends DecodedName {
  /** Its updates in the order in which they were stored. @throws {CommandError} the store can't be read here */
  read(): Promise<Uint8Array[]>
}

/** Another server's store, opened for reading: nothing of it is ever changed. */
export interface DocumentSource {
  /** What is wrong with the store as a whole, in words: something of it may be missing. */
  readonly damage: string | null
  /** What else should be known, in words. */
  readonly warnings: readonly string[]
  /** All documents, each once. */
  documents(): AsyncIterable<SourceDocument>
  /**
   * The document that clients of that server reach in Weft by changing the URL's host.
   * @throws {BadDocumentIdError} no name of a document
   */
  documentId(name: string): DocumentId
  close(): Promise<void>
}
