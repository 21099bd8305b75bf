import type { DamagedDocument, WholeDocument } from '../log/UpdateLog.ts'
import type { UploadStore } from '../uploads/UploadStore.ts'
import type { BackedUp } from './encodeBackup.ts'

/**
 * Documents, each with its files behind it. A file is stored before a document can name it, and none goes while this goes on: each
 * that was there at the documents' moment comes, whole; one that was put in later may come, too.
 */
export async function* withFiles(
  documents: AsyncIterable<WholeDocument | DamagedDocument>,
  uploads: Pick<UploadStore, 'view'>,
): AsyncGenerator<BackedUp> {
  // Before the documents' moment, which is when the first one is asked for.
  const view = uploads.view()
  try {
    for await (const document of documents) {
      yield document
      if (document.documentId !== null) yield* view.files(document.documentId)
    }
  } finally {
    await view.close()
  }
}
