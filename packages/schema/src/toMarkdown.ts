import { Fragment, type Mark, type Node } from '@tiptap/pm/model'
import { maxCellSpan } from './checkAttribute.ts'
import { nothing, parseInline } from './fromMarkdown.ts'
import { schema } from './schema.ts'
import { isSafeImage, isSafeLink } from './urls.ts'

/** Neighbouring text with the same marks, or a line break (`text: null`). */
interface Run {
  text: string | null
  marks: readonly Mark[]
}

const delimiters: Record<string, string> = { bold: '**', italic: '*', strike: '~~' }

const entity = (character: string) => `&#${character.codePointAt(0)};`

const has = (marks: readonly Mark[], name: string) => marks.some(mark => mark.type.name === name)

/**
 * The inline content of a block as Markdown can say it: no bold, italic or strike on blanks at the ends of a stretch (no
 * delimiter counts beside a blank), no links to addresses that aren't allowed, no line ends in inline code.
 */
const readRuns = (content: Fragment): Run[] => {
  let runs: Run[] = []
  content.forEach(node => {
    const marks = node.marks.filter(mark => mark.type.name !== 'link' || isSafeLink(mark.attrs.href))
    if (node.isText)
      runs.push({ text: has(marks, 'code') ? (node.text ?? '').replace(/[\r\n]/g, ' ') : (node.text ?? ''), marks })
    else runs.push({ text: null, marks: [] })
  })
  for (const name of Object.keys(delimiters)) {
    const stretches: Run[] = []
    for (let from = 0; from < runs.length; ) {
      let to = from
      const isMarked = (run: Run | undefined) => run !== undefined && run.text !== null && has(run.marks, name)
      while (isMarked(runs[to])) to++
      if (to === from) {
        stretches.push(runs[from] as Run)
        from++
        continue
      }
      stretches.push(...withoutMarkAtEnds(runs.slice(from, to), name))
      from = to
    }
    runs = stretches
  }
  return join(runs)
}

const isEqualMarks = (a: readonly Mark[], b: readonly Mark[]) =>
  a.length === b.length && a.every((mark, index) => mark.eq(b[index] as Mark))

const join = (runs: readonly Run[]): Run[] => {
  const joined: Run[] = []
  for (const run of runs) {
    const last = joined.at(-1)
    if (run.text === '') continue
    if (run.text !== null && last && last.text !== null && isEqualMarks(last.marks, run.marks)) last.text += run.text
    else joined.push({ ...run })
  }
  return joined
}

const withoutMarkAtEnds = (stretch: readonly Run[], name: string): Run[] => {
  const without = (run: Run, text: string): Run => ({ text, marks: run.marks.filter(mark => mark.type.name !== name) })
  const runs = [...stretch]
  const before: Run[] = []
  const after: Run[] = []
  for (let run = runs[0]; run && !has(run.marks, 'code'); run = runs[0]) {
    const text = run.text ?? ''
    const rest = text.trimStart()
    before.push(without(run, text.slice(0, text.length - rest.length)))
    if (rest) {
      runs[0] = { ...run, text: rest }
      break
    }
    runs.shift()
  }
  for (let run = runs.at(-1); run && !has(run.marks, 'code'); run = runs.at(-1)) {
    const text = run.text ?? ''
    const rest = text.trimEnd()
    after.unshift(without(run, text.slice(rest.length)))
    if (rest) {
      runs[runs.length - 1] = { ...run, text: rest }
      break
    }
    runs.pop()
  }
  return [...before, ...runs, ...after]
}

interface Place {
  isLineStart: boolean
  /** Blanks at the start don't count or make a delimiter before them not count. */
  isBlankStart: boolean
  /** The same at the end. */
  isBlankEnd: boolean
  isInLink: boolean
  /** What follows is a link. */
  isBeforeLink: boolean
}

const wordCharacter = /[A-Za-z0-9]/
const isBlank = (text: string) => /^[^\S\v]+$/.test(text)

/** Plain text, so that Markdown reads nothing but text in it. */
const escapeText = (text: string, { isLineStart, isBlankStart, isBlankEnd, isInLink, isBeforeLink }: Place): string => {
  const hasTildes = text.split('~').length > 2
  // A blank that is written as an entity is punctuation to what stands beside it.
  const isBesideEntity = (index: number) =>
    (isBlankStart && isBlank(text.slice(0, index))) || (isBlankEnd && isBlank(text.slice(index + 1)))
  let escaped = ''
  for (let index = 0; index < text.length; index++) {
    const character = text.charAt(index)
    const previous = text.charAt(index - 1)
    const next = text.charAt(index + 1)
    const isEdge = index === 0 || index === text.length - 1
    switch (character) {
      case '\\':
      case '`':
      case '[':
        escaped += `\\${character}`
        break
      case '*':
        escaped += !isEdge && previous === ' ' && next === ' ' && !isBesideEntity(index) ? '*' : '\\*'
        break
      case '_':
        escaped += wordCharacter.test(previous) && wordCharacter.test(next) ? '_' : '\\_'
        break
      case '~':
        escaped += hasTildes || isEdge ? '\\~' : '~'
        break
      case ']':
        escaped += isInLink ? '\\]' : ']'
        break
      case '!':
        escaped += isBeforeLink && index === text.length - 1 ? '\\!' : '!'
        break
      case '<':
        escaped += /[A-Za-z!/?]/.test(next) || next === '' ? '\\<' : '<'
        break
      case '&':
        escaped += /^&(?:#[0-9a-z]+|[a-z][0-9a-z]*);/i.test(text.slice(index, index + 40)) ? '\\&' : '&'
        break
      case '\n':
      case '\r':
        escaped += entity(character)
        break
      default:
        escaped += character
    }
  }
  if (isLineStart) {
    escaped = escaped
      .replace(/^(?:#{1,6}(?=\s|$)|[-+](?=\s|$)|-(?=[-:| ]*$)|[=>|]|:(?=-))/, start => `\\${start}`)
      .replace(/^(\d{1,9})([.)])(?=\s|$)/, '$1\\$2')
  }
  if (isBlankStart) escaped = escaped.replace(/^[^\S\v]+/, blanks => [...blanks].map(entity).join(''))
  if (isBlankEnd) escaped = escaped.replace(/[^\S\v]+$/, blanks => [...blanks].map(entity).join(''))
  return escaped
}

const codeSpan = (text: string): string => {
  const longest = Math.max(0, ...(text.match(/`+/g) ?? []).map(run => run.length))
  const fence = '`'.repeat(text.includes('`') ? longest + 1 : 1)
  const isPadded = /^`|`$/.test(text) || (/^ .* $/s.test(text) && /[^ ]/.test(text))
  return isPadded ? `${fence} ${text} ${fence}` : `${fence}${text}${fence}`
}

const escapeTarget = (text: string, characters: RegExp): string =>
  text
    .replace(/[\r\n]/g, entity)
    .replace(/&(?=#|\w)/g, '&amp;')
    .replace(characters, '\\$&')

const linkTarget = (url: string, title: unknown): string => {
  const isPlain = /^[^\s<>()\p{Cc}]+$/u.test(url)
  const destination = isPlain ? escapeTarget(url, /\\/g) : `<${escapeTarget(url, /[\\<>]/g)}>`
  return typeof title === 'string' && title !== ''
    ? `(${destination} "${escapeTarget(title, /[\\"]/g)}")`
    : `(${destination})`
}

const isAutolink = ({ text, marks }: Run): boolean => {
  const [mark] = marks
  return (
    marks.length === 1 &&
    mark?.type.name === 'link' &&
    mark.attrs.href === text &&
    !mark.attrs.title &&
    /^https?:\/\/[^\s<>\\&*_`[\]|]+$/.test(text ?? '')
  )
}

/**
 * Runs as Markdown.
 * @param separators boundaries (indexes of the run behind) at which something that stands for nothing is put, so that
 *   delimiters that stand there count.
 * @param lineEnd how a line break is written.
 */
const writeRuns = (runs: readonly Run[], separators: ReadonlySet<number>, lineEnd: string): string => {
  let written = ''
  let active: Mark[] = []
  const close = (mark: Mark) => {
    written +=
      mark.type.name === 'link'
        ? `]${linkTarget(mark.attrs.href, mark.attrs.title)}`
        : (delimiters[mark.type.name] ?? '')
  }
  const closeTo = (depth: number) => {
    for (const mark of active.slice(depth).reverse()) close(mark)
    active = active.slice(0, depth)
  }
  runs.forEach((run, index) => {
    const isLast = index === runs.length - 1
    if (run.text === null) {
      closeTo(0)
      written += isLast ? '<br>' : lineEnd
      return
    }
    const isSeparated = separators.has(index)
    if (isSeparated || isAutolink(run)) closeTo(0)
    if (isSeparated) written += nothing
    const wanted = run.marks.filter(mark => mark.type.name !== 'code')
    const kept = active.findIndex(mark => !mark.isInSet(wanted))
    closeTo(kept < 0 ? active.length : kept)
    const isLineStart = (index === 0 || runs[index - 1]?.text === null) && active.length === 0
    if (isAutolink(run)) {
      written += `<${run.text}>`
      return
    }
    // What lasts longest is opened first, so that as little as possible is closed and opened again.
    const lasts = (mark: Mark) => {
      let end = index
      while (end < runs.length && runs[end]?.text !== null && mark.isInSet(runs[end]?.marks ?? [])) end++
      return end
    }
    const opened = wanted.filter(mark => !mark.isInSet(active)).sort((a, b) => lasts(b) - lasts(a))
    for (const mark of opened) {
      written += mark.type.name === 'link' ? '[' : (delimiters[mark.type.name] ?? '')
      active.push(mark)
    }
    const next = runs[index + 1]
    const staying = separators.has(index + 1) || !next || isAutolink(next) ? [] : next.marks
    const leaving = active.findIndex(mark => !mark.isInSet(staying))
    const closing = leaving < 0 ? [] : active.slice(leaving)
    if (has(run.marks, 'code')) written += codeSpan(run.text)
    else {
      written += escapeText(run.text, {
        // Headings and cells (with `<br>` as line end) hold no blocks: only what begins a line of a paragraph could be one.
        isLineStart: isLineStart && opened.length === 0 && lineEnd !== '<br>',
        isBlankStart: isLineStart || opened.some(({ type }) => delimiters[type.name]),
        isBlankEnd: isLast || next?.text === null || closing.some(({ type }) => delimiters[type.name]),
        isInLink: has(active, 'link'),
        isBeforeLink: next !== undefined && has(next.marks, 'link') && !has(run.marks, 'link'),
      })
    }
  })
  closeTo(0)
  return written
}

/** Boundaries in one block up to which each is tried without a separator. */
const maxTriedBoundaries = 40

/**
 * Inline content as Markdown. Whether a delimiter counts depends on the characters around it: what was written is read
 * again, and where it says something else, delimiters are set apart.
 */
const writeInline = (content: Fragment, lineEnd: string): string => {
  const runs = readRuns(content)
  const written = writeReadably(runs, lineEnd)
  const link = runs[0]?.marks.find(({ type }) => type.name === 'link')
  // A paragraph that begins with a link of code could be read as a definition: [`]: x`](address) defines what "`" stands for.
  if (link === undefined || lineEnd === '<br>' || !/^\[(?:\\.|[^\\\]])*\]:/s.test(written)) return written
  // Nobody defines anything with more than an address and a title: an empty title of the link is more.
  const target = `]${linkTarget(link.attrs.href, null)}`
  return written.replace(target, () => `${target.slice(0, -1)} "")`)
}

const writeReadably = (runs: Run[], lineEnd: string): string => {
  const plain = writeRuns(runs, new Set(), lineEnd)
  if (runs.every(({ marks }) => marks.length === 0)) return plain
  const wanted = Fragment.from(
    runs.map(({ text, marks }) => (text === null ? schema.node('hardBreak') : schema.text(text, marks))),
  )
  const isRight = (markdown: string) => parseInline(markdown).eq(wanted)
  if (isRight(plain)) return plain
  const boundaries = runs.flatMap((run, index) =>
    index > 0 && run.text !== null && runs[index - 1]?.text !== null ? [index] : [],
  )
  const separators = new Set(boundaries)
  for (const boundary of boundaries.slice(0, maxTriedBoundaries)) {
    separators.delete(boundary)
    if (!isRight(writeRuns(runs, separators, lineEnd))) separators.add(boundary)
  }
  return writeRuns(runs, separators, lineEnd)
}

const image = ({ attrs }: Node): string => {
  const place = { isLineStart: false, isBlankStart: true, isBlankEnd: true, isInLink: true, isBeforeLink: false }
  const alt = escapeText(String(attrs.alt ?? ''), place)
  return `![${alt}]${linkTarget(isSafeImage(attrs.src) ? attrs.src : '', attrs.title)}`
}

const code = ({ textContent, attrs }: Node): string[] => {
  const longest = Math.max(2, ...(textContent.match(/`+/g) ?? []).map(run => run.length))
  const fence = '`'.repeat(longest + 1)
  const language = escapeTarget(String(attrs.language ?? ''), /\\/g).replace(/[\s`]/g, entity)
  return [fence + language, ...(textContent ? textContent.split('\n') : []), fence]
}

/** The text of a cell in one line. A cell of several blocks becomes lines of text. */
const cellText = (cell: Node): string => {
  const parts: string[] = []
  cell.descendants(node => {
    if (node.type.name === 'image') parts.push(image(node))
    else if (node.type.spec.code) parts.push(...node.textContent.split('\n').map(line => codeSpan(line || ' ')))
    else if (node.isTextblock) parts.push(writeInline(node.content, '<br>'))
    return !node.isTextblock
  })
  return parts.join('<br>').replaceAll('|', '\\|')
}

const spanOf = (value: unknown) => (Number.isInteger(value) ? Math.min(Math.max(value as number, 1), maxCellSpan) : 1)

/** The cells of a table by row and column; what a cell covers beyond its first place is empty. */
export const gridOf = (table: Node): (Node | null)[][] => {
  const grid: (Node | null)[][] = table.children.map(() => [])
  table.forEach((row, _offset, rowIndex) => {
    const places = grid[rowIndex] as (Node | null)[]
    let column = 0
    row.forEach(cell => {
      while (places[column] !== undefined) column++
      for (let down = 0; down < spanOf(cell.attrs.rowspan) && rowIndex + down < grid.length; down++) {
        for (let right = 0; right < spanOf(cell.attrs.colspan); right++) {
          const covered = grid[rowIndex + down] as (Node | null)[]
          covered[column + right] ??= down === 0 && right === 0 ? cell : null
        }
      }
    })
  })
  return grid
}

const table = (node: Node): string[] => {
  const grid = gridOf(node)
  const width = Math.max(1, ...grid.map(row => row.length))
  const columns = Array.from({ length: width }, (_, column) => column)
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const rows = grid.map(row => columns.map(column => (row[column] ? cellText(row[column]) : '')))
  const hasHeader =
    node.firstChild?.children.every(cell => cell.type.name === 'tableHeader') === true &&
    (node.firstChild?.childCount ?? 0) > 0
  const header: string[] = (hasHeader && rows.shift()) || columns.map(() => '')
  if (hasHeader && rows.length > 0 && !header.some(Boolean)) header[0] = nothing
  const aligns = columns.map(column => {
    const found = new Set(grid.flatMap(row => (row[column] ? [row[column].attrs.align] : [])))
    const align = found.size === 1 ? [...found][0] : null
    return { left: ':--', center: ':-:', right: '--:' }[String(align)] ?? '---'
  })
  return [line(header), line(aligns), ...rows.map(line)]
}

const isList = (node: Node | null | undefined) => node?.type.spec.group?.split(' ').includes('list') === true

/** Whether two lists side by side would read as one. */
const isSameFamily = (a: Node, b: Node) => (a.type.name === 'orderedList') === (b.type.name === 'orderedList')

const startOf = ({ attrs }: Node): number =>
  Number.isInteger(attrs.start) && attrs.start >= 0 && attrs.start <= 999_999_999 ? attrs.start : 1

/** Whether a list can be written without blank lines: each item is a line of text, then at most one such list. */
const isTight = (list: Node): boolean =>
  list.children.every(item => {
    const [first, second] = item.children
    if (item.childCount > 2 || !first || first.childCount === 0) return false
    if (!second) return true
    return isList(second) && (second.type.name !== 'orderedList' || startOf(second) === 1) && isTight(second)
  })

/** Blocks that can stand behind a list marker where the item's first paragraph is empty. */
const canStandFirst = new Set(['codeBlock', 'heading', 'blockquote', 'image', 'table'])

const itemLines = (item: Node, box: string, isTightList: boolean): string[] => {
  const [first, ...rest] = item.children
  const isEmpty = !first || first.childCount === 0
  const [second] = rest
  if (isEmpty && !second) return [box.trimEnd()]
  if (isEmpty && !box && second && canStandFirst.has(second.type.name)) return blocksLines(rest)
  const lines = isEmpty ? [box ? box.trimEnd() : nothing] : blocksLines([first as Node])
  if (!isEmpty) lines[0] = box + (lines[0] ?? '')
  return rest.length > 0 ? [...lines, ...(isTightList ? [] : ['']), ...blocksLines(rest)] : lines
}

/** @param isAlternate whether the list before it would otherwise take it up. */
const listLines = (list: Node, isAlternate: boolean): string[] => {
  const isOrdered = list.type.name === 'orderedList'
  const tight = isTight(list)
  const lines: string[] = []
  list.forEach((item, _offset, index) => {
    const marker = isOrdered ? `${startOf(list) + index}${isAlternate ? ')' : '.'}` : isAlternate ? '+' : '-'
    const box = item.type.name === 'taskItem' ? (item.attrs.checked === true ? '[x] ' : '[ ] ') : ''
    const indent = ' '.repeat(marker.length + 1)
    if (index > 0 && !tight) lines.push('')
    itemLines(item, box, tight).forEach((line, at) => {
      lines.push(at === 0 ? `${marker} ${line}`.trimEnd() : line && indent + line)
    })
  })
  return lines
}

const blockLines = (node: Node, isAlternate: boolean): string[] => {
  switch (node.type.name) {
    case 'heading':
      return [
        `${'#'.repeat(node.attrs.level)} ${writeInline(node.content, '<br>').replace(/(^|\s)(?=#+$)/, '$1\\')}`.trimEnd(),
      ]
    case 'codeBlock':
      return code(node)
    case 'horizontalRule':
      return ['---']
    case 'image':
      return [image(node)]
    case 'table':
      return table(node)
    case 'blockquote':
      return blocksLines(node.children).map(line => (line ? `> ${line}` : '>'))
    case 'bulletList':
    case 'orderedList':
    case 'taskList':
      return listLines(node, isAlternate)
    default:
      return (writeInline(node.content, '\\\n') || nothing).split('\n')
  }
}

const blocksLines = (blocks: readonly Node[]): string[] => {
  const lines: string[] = []
  let previous: Node | null = null
  let isAlternate = false
  for (const node of blocks) {
    isAlternate = previous !== null && isList(previous) && isList(node) && isSameFamily(previous, node) && !isAlternate
    if (previous) lines.push('')
    for (const line of blockLines(node, isAlternate)) lines.push(line)
    previous = node
  }
  return lines
}

/**
 * A document (or one block of it) as Markdown: CommonMark, with tables, strikethrough and task lists as on GitHub.
 * `fromMarkdown` reads the same document from it; what Markdown can't say is listed in this package's README.
 * @returns text that ends with a line end; '' for an empty document.
 */
export const toMarkdown = (node: Node): string => {
  const blocks = node.type === schema.topNodeType ? [...node.children] : [node]
  if (node.type === schema.topNodeType)
    while (blocks.at(-1)?.type.name === 'paragraph' && blocks.at(-1)?.childCount === 0) blocks.pop()
  return blocks.length > 0 ? `${blocksLines(blocks).join('\n')}\n` : ''
}
