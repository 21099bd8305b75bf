import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import initSqlJs, { type Database } from 'sql.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HocuspocusSource } from './HocuspocusSource.ts'

const sql = await initSqlJs()
let folder = ''
let file = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weft-test-'))
  file = join(folder, 'a.sqlite')
})
afterEach(() => rm(folder, { recursive: true }))

/** A file as extension-sqlite makes it. */
async function write(fill: (database: Database) => void, schema = 'name varchar(255) NOT NULL, data blob NOT NULL') {
  const database = new sql.Database()
  database.run(`CREATE TABLE documents (${schema})`)
  fill(database)
  await writeFile(file, database.export())
  database.close()
}

describe('HocuspocusSource', () => {
  it('gives each row as a document of one update, and leaves the file as it is', async () => {
    await write(database => database.run("INSERT INTO documents VALUES ('a/b', x'0000'), ('', x'01')"))
    const before = await readFile(file)
    const source = await HocuspocusSource.open(file)
    const documents: unknown[] = []
    for await (const { name, read } of source.documents()) documents.push([name, ...(await read())])
    await source.close()
    expect(documents).toEqual([
      ['a/b', Uint8Array.of(0, 0)],
      ['', Uint8Array.of(1)],
    ])
    expect(source.damage).toBe(null)
    expect(await readFile(file)).toEqual(before)
  })

  it('tells apart names that are not UTF-8', async () => {
    await write(database =>
      database.run("INSERT INTO documents VALUES (CAST(x'61fe' AS TEXT), x'01'), (CAST(x'61ff' AS TEXT), x'02')"),
    )
    const source = await HocuspocusSource.open(file)
    const names: unknown[] = []
    for await (const { name, nameFault } of source.documents()) names.push([name, nameFault])
    await source.close()
    expect(names).toEqual([
      ['a\\xfe', 'its name is not UTF-8'],
      ['a\\xff', 'its name is not UTF-8'],
    ])
  })

  it('ends where pages lead to each other', async () => {
    await write(database => {
      for (let i = 0; i < 50; i++) database.run('INSERT INTO documents VALUES (?, zeroblob(3000))', [`document ${i}`])
    })
    const bytes = await readFile(file)
    // The table's root, page 2, is an interior page: behind its header of 12 bytes stand the places of its cells, each of which
    // begins with the number of a page (SQLite's file format, section 1.6).
    const root = bytes.subarray(4096, 8192)
    expect(root[0]).toBe(5)
    const first = root.readUInt32BE(root.readUInt16BE(12))
    root.writeUInt32BE(first, root.readUInt16BE(14))
    await writeFile(file, bytes)
    const source = await HocuspocusSource.open(file)
    const names: string[] = []
    const readAll = async () => {
      for await (const { name } of source.documents()) names.push(name)
    }
    await expect(readAll()).rejects.toThrow(`${file} is damaged: its rows are out of order`)
    // What came before is given: rows are read one at a time.
    expect(names).toEqual(['document 0'])
    await source.close()
  })

  it('tells of a damaged page, and goes on with the others', async () => {
    await write(database => {
      for (let i = 0; i < 50; i++) database.run('INSERT INTO documents VALUES (?, zeroblob(3000))', [`document ${i}`])
    })
    const bytes = await readFile(file)
    bytes.fill(0xff, 10 * 4096, 11 * 4096)
    await writeFile(file, bytes)
    const source = await HocuspocusSource.open(file)
    expect(source.damage).toContain(`${file} is damaged: `)
    await source.close()
  })

  it.each([
    ['that is not there', async () => {}, "can't be read"],
    ['that is a folder', () => mkdir(file), 'Did you mean: weft import y-leveldb '],
    ['that is empty', () => writeFile(file, ''), 'is no SQLite file: it is empty'],
    ['of another kind', () => writeFile(file, 'words, and more of them than a header has'), 'is no SQLite file'],
    ['with another table', () => write(() => {}, 'id, content'), 'has no table documents(name, data)'],
    ['with a view in its place', () => write(view, 'x'), 'documents is a view, no table'],
    ['with a virtual table in its place', () => write(virtual, 'x'), 'documents is a virtual, no table'],
    ['that is cut short', () => cut(100), "can't be read"],
    ['with a write-ahead log', () => neighbour('-wal', '00'), 'write-ahead log'],
    ['that is being written', () => neighbour('-journal', 'd9d505f920a163d700000001'), 'is being written'],
  ])('refuses a file %s', async (_, make, message) => {
    await make()
    const refused = HocuspocusSource.open(file)
    await expect(refused).rejects.toThrow(message)
    await expect(refused).rejects.toThrow(file)
  })

  it('takes a file whose journal is finished', async () => {
    await neighbour('-journal', '0000000000000000')
    await (await HocuspocusSource.open(file)).close()
  })
})

/** Gives rows for ever. */
function view(database: Database): void {
  database.run('DROP TABLE documents')
  database.run(
    "CREATE VIEW documents(name, data) AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, x'00' FROM n",
  )
}

function virtual(database: Database): void {
  database.run('DROP TABLE documents')
  database.run('CREATE VIRTUAL TABLE documents USING fts3(name, data)')
}

async function cut(length: number): Promise<void> {
  await write(() => {})
  await writeFile(file, (await readFile(file)).subarray(0, length))
}

async function neighbour(suffix: string, hex: string): Promise<void> {
  await write(() => {})
  await writeFile(`${file}${suffix}`, Buffer.from(hex, 'hex'))
}
