import { readdir } from 'node:fs/promises'
import { type DocumentId, documentIdFromPath } from '@weft/protocol'
import { CommandError } from '../errors.ts'
import { LevelFolderCopy } from '../LevelFolderCopy.ts'
import { quoteName } from '../quoteName.ts'
import type { DocumentSource, SourceDocument } from './DocumentSource.ts'
import { decodeName } from './decodeName.ts'
import { documentEnd, documentsRange, nameInKey, updatesRange } from './yLeveldbKey.ts'

/**
 * The folder of a `y-leveldb` store, as the server of `y-websocket` keeps it (`YPERSISTENCE`). A copy of it is opened
 * (`LevelFolderCopy`).
 */
export class YLeveldbSource implements DocumentSource {
  readonly damage: string | null
  readonly warnings: readonly string[]
  readonly #folder: string
  readonly #copy: LevelFolderCopy

  private constructor(folder: string, copy: LevelFolderCopy) {
    this.#folder = folder
    this.#copy = copy
    this.damage = copy.damage
    this.warnings = copy.warnings
  }

  /**
   * @param signal ends the copying, with its reason
   * @throws {CommandError} it isn't such a folder, it can't be opened or copied, or a server uses it
   */
  static async open(folder: string, signal: AbortSignal): Promise<YLeveldbSource> {
    const names = await readdir(folder).catch(error => {
      if (error.code === 'ENOTDIR') {
        throw new CommandError(
          `${folder} is a file; a y-leveldb store is a folder. Did you mean: weft import hocuspocus ${quoteName(folder)}?`,
        )
      }
      throw new CommandError(`${folder} can't be read: ${error.message}`)
    })
    if (!names.includes('CURRENT')) throw new CommandError(`${folder} holds no LevelDB store (it has no file CURRENT)`)
    const copy = await LevelFolderCopy.open(
      folder,
      'stop that server, or import a copy of the folder while it runs, and the folder itself after it has stopped',
      signal,
    )
    try {
      const source = new YLeveldbSource(folder, copy)
      await source.#checkContent()
      return source
    } catch (error) {
      await copy.remove()
      throw error
    }
  }

  async *documents(): AsyncGenerator<SourceDocument> {
    const { gte, lt } = documentsRange
    let from = gte
    for (;;) {
      const [first] = await this.#scan(from, lt, 1)
      if (first === undefined) return
      const name = nameInKey(first[0])
      if (name === null)
        throw new CommandError(`${this.#folder}: a key that is not y-leveldb's: ${first[0].toString('hex')}`)
      yield { ...decodeName(name), read: () => this.#read(name) }
      from = documentEnd(name)
    }
  }

  /** That server knows a document by the path of its URL as it stands; here the path is percent-decoded, once. */
  documentId(name: string): DocumentId {
    return documentIdFromPath(`/${name}`)
  }

  async close(): Promise<void> {
    await this.#copy.remove()
  }

  async #read(name: Uint8Array): Promise<Uint8Array[]> {
    const { gte, lt } = updatesRange(name)
    return (await this.#scan(gte, lt)).map(([, value]) => value)
  }

  async #checkContent(): Promise<void> {
    const { gte, lt } = documentsRange
    if ((await this.#scan(gte, lt, 1)).length > 0) return
    if ((await this.#scan(Buffer.of(), Buffer.of(0xff), 1)).length > 0) {
      throw new CommandError(`${this.#folder} is a LevelDB store, but not one of y-leveldb`)
    }
  }

  async #scan(gte: Buffer, lt: Buffer, limit?: number): Promise<[key: Buffer, value: Buffer][]> {
    try {
      return await this.#copy.store.scan(gte, lt, limit)
    } catch (error) {
      throw this.#copy.explained(error)
    }
  }
}
