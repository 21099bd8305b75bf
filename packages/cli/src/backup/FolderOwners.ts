import type { DocumentId } from '@weft/protocol'
import { namesIn, uploadFolderName, uploadsFolder } from '@weft/server/uploadFiles'

/** Which documents the folders of files belong to: only of those that have one, for there may be many documents. */
export class FolderOwners {
  readonly #owners: Map<string, DocumentId | null>

  private constructor(folders: readonly string[]) {
    this.#owners = new Map(folders.map(name => [name, null]))
  }

  /** @param dataFolder may have no files at all */
  static async of(dataFolder: string): Promise<FolderOwners> {
    return new FolderOwners(await namesIn(uploadsFolder(dataFolder)))
  }

  add(documentId: DocumentId | null): void {
    if (documentId === null || this.#owners.size === 0) return
    const name = uploadFolderName(documentId)
    if (this.#owners.has(name)) this.#owners.set(name, documentId)
  }

  /** Null: no document has it. */
  get(name: string): DocumentId | null {
    return this.#owners.get(name) ?? null
  }
}
