import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** A row of the tables in SECURITY.md. */
export interface ThreatRow {
  /** Letter of its table and number in it: `C4`. */
  readonly id: string
  /** All of the row, for what is looked for anywhere in it. */
  readonly text: string
  readonly threat: string
  /** Settings that it names, with the default that it claims. */
  readonly settings: readonly { readonly env: string; readonly default: string }[]
  /** Files that it names, from the top of the repository. */
  readonly tests: readonly string[]
}

/** The rows of all tables, in their order. @throws where one doesn't have five cells, or names settings in another form */
export function readThreatTable(markdown = readFileSync(join(ROOT, 'SECURITY.md'), 'utf8')): ThreatRow[] {
  const lines = markdown.split('\n').filter(line => /^\| [A-Z]\d+ \|/u.test(line))
  return lines.map(line => {
    const cells = line.slice(1, -1).split('|')
    const [id = '', threat = '', , settings = '', tests = ''] = cells.map(cell => cell.trim())
    if (cells.length !== 5) throw new Error(`the row ${id} of SECURITY.md has ${cells.length} cells`)
    return { id, text: line, threat, settings: readSettings(id, settings), tests: tests.match(/[^\s,`]+/gu) ?? [] }
  })
}

/** The tables with the tests that markers name, up to four for each row: those that stand against the real server first. */
export function withTests(markdown: string, { files }: Markers): string {
  return markdown.replace(/^(\| ([A-Z]\d+) \|.*\|)[^|]*\|$/gmu, (_, cells: string, id: string) => {
    const names = [...(files.get(id) ?? [])].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1)).slice(0, 4)
    return `${cells} ${names.map(name => `\`${name}\` `).join('')}|`
  })
}

function rank(file: string): number {
  if (file.startsWith('test/threats/')) return 0
  return file.startsWith('test/') ? 1 : 2
}

function readSettings(id: string, cell: string): { env: string; default: string }[] {
  if (cell === '') return []
  return cell.split('; ').map(entry => {
    const [, env, value] = /^`(WEFT_[A-Z_]+)` (.+)$/u.exec(entry) ?? []
    if (env === undefined || value === undefined) throw new Error(`the row ${id} names a setting as '${entry}'`)
    return { env, default: value }
  })
}

/** Where tests say which rows they show. */
export interface Markers {
  /** Files with a title that names a row, by id. */
  readonly files: ReadonlyMap<string, ReadonlySet<string>>
  /** Markers that are in no title: nobody would look for them there. */
  readonly astray: readonly string[]
}

const MARKER = /\[threat ([^\]]*)\]/gu
/** A string that is followed by a comma and begins an argument list: the title of a `describe`, `it` or `it.each(…)`. */
const TITLE = /\(\s*(?:'((?:\\.|[^'\\\n])*)'|"((?:\\.|[^"\\\n])*)"|`((?:\\.|[^`\\])*)`)\s*,/gu

/** Reads all sources of the repository but this folder's own description of markers. */
export function findMarkers(): Markers {
  const files = new Map<string, Set<string>>()
  const astray: string[] = []
  for (const file of sourcesIn(['packages', 'server/src', 'web/src', 'test'])) {
    const text = readFileSync(join(ROOT, file), 'utf8')
    const count = [...text.matchAll(MARKER)].length
    if (count === 0) continue
    let inTitles = 0
    for (const [, single, double, template] of text.matchAll(TITLE)) {
      for (const [, id = ''] of (single ?? double ?? template ?? '').matchAll(MARKER)) {
        inTitles++
        files.set(id, (files.get(id) ?? new Set()).add(file))
      }
    }
    if (inTitles !== count) astray.push(file)
  }
  return { files, astray }
}

function sourcesIn(folders: readonly string[]): string[] {
  return folders.flatMap(folder =>
    readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
      .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
      .map(entry => relative(ROOT, join(entry.parentPath, entry.name)))
      .filter(file => !/(?:^|\/)(?:node_modules|dist)\//u.test(file) && !file.startsWith('test/threats/threatTable')),
  )
}
