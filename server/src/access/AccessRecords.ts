/** What a record may hold: plain JSON. */
export type RecordValue = Readonly<Record<string, string | number | boolean | null>>

/**
 * What is not documents, and is kept like them: share links and revocations, a few hundred bytes each, by key.
 * A change counts at once for whoever reads, and is on disk when its promise resolves.
 */
export interface AccessRecords {
  /** All records whose keys begin so, in no particular order. */
  entries(prefix: string): Iterable<readonly [key: string, value: RecordValue]>

  get(key: string): RecordValue | undefined

  /**
   * Puts and removes (`null`) records, all of them or none.
   * @throws {WeftError} `STORAGE_WRITE_FAILED`: not on disk yet; it may be, later
   */
  change(changes: ReadonlyMap<string, RecordValue | null>): Promise<void>
}
