import { open, readFile, stat } from 'node:fs/promises'
import { type DocumentId, parseDocumentId } from '@weft/protocol'
import initSqlJs, { type Database, type SqlValue } from 'sql.js'
import { CommandError } from '../errors.ts'
import { quoteName } from '../quoteName.ts'
import type { DocumentSource, SourceDocument } from './DocumentSource.ts'
import { decodeName } from './decodeName.ts'

/** SQLite's header (its file format, section 1.3). */
const SQLITE_HEADER = 'SQLite format 3\0'
/** Begins the header of a journal that must be rolled back (section 3). */
const JOURNAL_HEADER = 'd9d505f920a163d7'
/** `sql.js` counts a file's bytes in 31 bits, and holds all of them in memory. */
const MAX_FILE_BYTES = 2 ** 31 - 1
const READ_ATTEMPTS = 4

/**
 * The SQLite file of Hocuspocus' `extension-sqlite`: a table `documents(name, data)`, `data` being the whole document as one
 * update.
 *
 * The file is read into memory and opened there: its neighbours are not written, and a server may run on it. Then this is its
 * state between two writes.
 */
export class HocuspocusSource implements DocumentSource {
  readonly damage: string | null
  readonly warnings = []
  readonly #file: string
  readonly #database: Database

  private constructor(file: string, database: Database, damage: string | null) {
    this.#file = file
    this.#database = database
    this.damage = damage
  }

  /** @throws {CommandError} it isn't such a file, or can't be read */
  static async open(file: string): Promise<HocuspocusSource> {
    const bytes = await readUnchanging(file)
    if (bytes.toString('latin1', 0, SQLITE_HEADER.length) !== SQLITE_HEADER) {
      throw new CommandError(`${file} is no SQLite file${bytes.length === 0 ? ': it is empty' : ''}`)
    }
    const { Database } = await initSqlJs()
    const database = new Database(bytes)
    try {
      // A view is a program of whoever made the file, and may never end. (`shadow`: a part of a full-text index.)
      const [[type] = []] = query(
        database,
        "SELECT type FROM pragma_table_list WHERE schema = 'main' AND name = 'documents' COLLATE NOCASE",
      )
      if (type !== undefined && type !== 'table') throw new CommandError(`${file}: documents is a ${type}, no table`)
      const columns = query(database, "SELECT name FROM pragma_table_info('documents')").map(([name]) => name)
      if (!columns.includes('name') || !columns.includes('data')) {
        throw new CommandError(`${file} has no table documents(name, data), as Hocuspocus' extension-sqlite makes it`)
      }
      const [[check] = []] = query(database, 'PRAGMA quick_check(1)')
      return new HocuspocusSource(
        file,
        database,
        check === 'ok' ? null : `${file} is damaged: ${String(check).replaceAll('\n', ' ')}`,
      )
    } catch (error) {
      database.close()
      if (error instanceof CommandError) throw error
      throw new CommandError(`${file} can't be read: ${messageOf(error)}`, { cause: error })
    }
  }

  async *documents(): AsyncGenerator<SourceDocument> {
    // As bytes, for sql.js would end a name at a NUL. One row at a time: there may be more than memory holds.
    const statement = this.#read(() =>
      this.#database.prepare('SELECT rowid, CAST(name AS BLOB) FROM documents ORDER BY rowid'),
    )
    try {
      let last = Number.NEGATIVE_INFINITY
      for (;;) {
        const row = this.#read(() => (statement.step() ? statement.get() : null))
        if (row === null) return
        const [rowid, name] = row
        // Pages that lead to each other give the same rows for ever.
        if (typeof rowid !== 'number' || rowid <= last) {
          throw new CommandError(`${this.#file} is damaged: its rows are out of order`)
        }
        last = rowid
        yield {
          ...decodeName(name instanceof Uint8Array ? name : Buffer.of()),
          read: async () => [this.#dataOf(rowid)],
        }
      }
    } finally {
      statement.free()
    }
  }

  /** A provider's `name`, as it stands. */
  documentId(name: string): DocumentId {
    return parseDocumentId(name)
  }

  async close(): Promise<void> {
    this.#database.close()
  }

  #dataOf(rowid: number): Uint8Array {
    const [[data] = []] = this.#read(() => query(this.#database, 'SELECT data FROM documents WHERE rowid = ?', rowid))
    if (!(data instanceof Uint8Array)) throw new CommandError('its data is no blob')
    return data
  }

  #read<T>(access: () => T): T {
    try {
      return access()
    } catch (error) {
      throw new CommandError(`${this.#file} can't be read: ${messageOf(error)}`, { cause: error })
    }
  }
}

function query(database: Database, sql: string, ...values: SqlValue[]): SqlValue[][] {
  const statement = database.prepare(sql, values)
  try {
    const rows: SqlValue[][] = []
    while (statement.step()) rows.push(statement.get())
    return rows
  } finally {
    statement.free()
  }
}

/** Reads a file that a server may be writing, between two writes: pages change only while there is a journal. */
async function readUnchanging(file: string): Promise<Buffer> {
  for (let attempt = 1; attempt <= READ_ATTEMPTS; attempt++) {
    const before = await stat(file).catch(error => {
      throw new CommandError(`${file} can't be read: ${error.message}`)
    })
    if (before.isDirectory()) {
      throw new CommandError(
        `${file} is a folder; Hocuspocus' store is a file. Did you mean: weft import y-leveldb ${quoteName(file)}?`,
      )
    }
    if (!before.isFile()) throw new CommandError(`${file} is no file`)
    if (before.size > MAX_FILE_BYTES) {
      throw new CommandError(`${file} has ${before.size} bytes; at most ${MAX_FILE_BYTES} can be read`)
    }
    if (await isFilled(`${file}-wal`)) {
      throw new CommandError(
        `${file} has a write-ahead log, ${file}-wal, which can't be read here: stop the server, and write it into the file ` +
          `with sqlite3 '${file}' 'PRAGMA wal_checkpoint(TRUNCATE)'`,
      )
    }
    const wasQuiet = !(await hasJournal(file))
    const bytes = await readFile(file)
    const after = await stat(file)
    const isSame = after.mtimeMs === before.mtimeMs && after.size === before.size
    if (wasQuiet && isSame && !(await hasJournal(file))) return bytes
    await new Promise(resolve => setTimeout(resolve, 50 * attempt))
  }
  throw new CommandError(
    `${file} is being written, or was when its server was killed (${file}-journal): import a copy, or open it once with ` +
      `sqlite3 '${file}' 'PRAGMA schema_version', which cleans up`,
  )
}

async function isFilled(path: string): Promise<boolean> {
  return ((await stat(path).catch(() => null))?.size ?? 0) > 0
}

async function hasJournal(file: string): Promise<boolean> {
  const journal = await open(`${file}-journal`, 'r').catch(() => null)
  if (journal === null) return false
  try {
    const { buffer, bytesRead } = await journal.read(Buffer.alloc(8), 0, 8, 0)
    return buffer.toString('hex', 0, bytesRead) === JOURNAL_HEADER
  } finally {
    await journal.close()
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
