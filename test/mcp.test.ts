import { append, fragmentOf, insertAfterHeading, replaceText, textOf, toMarkdown } from '@weft/client/text'
import { parseDocumentId } from '@weft/protocol'
import { describe, expect, it } from 'vitest'
import { ServerApi } from '../packages/cli/src/ServerApi.ts'
import { Random } from './crdt/Random.ts'
import { rounds } from './rounds.ts'
import { api, apiPath, putMarkdown } from './support/apiClient.ts'
import { has, program } from './support/editing.ts'
import { eventually } from './support/eventually.ts'
import { person, seen, startMcp, stored, versionIn } from './support/mcpClient.ts'
import { RawClient } from './support/RawClient.ts'
import { sharedServer, testServer } from './support/testServer.ts'
import { typist } from './support/typist.ts'
import { runCommand } from './support/weftCommand.ts'

const shared = sharedServer()

const READS = ['list_documents', 'read_document', 'search_documents']
const WRITES = [
  'append_text',
  'insert_after_heading',
  'replace_text',
  'replace_section',
  'replace_document',
  'create_document',
]

describe('weft mcp', () => {
  it('offers what its options allow, and says what reads, what destroys, and whose words it returns', async () => {
    const toolsOf = async (...args: string[]) => {
      const { client } = await startMcp(shared().url, { args })
      return (await client.listTools()).tools
    }
    const names = (tools: readonly { name: string }[]) => tools.map(({ name }) => name)
    const [all, readOnly, deleting] = await Promise.all([toolsOf(), toolsOf('--read-only'), toolsOf('--allow-delete')])
    expect(names(all)).toEqual([...READS, ...WRITES])
    expect(names(readOnly)).toEqual(READS)
    expect(names(deleting)).toEqual([...READS, ...WRITES, 'delete_document'])
    for (const { annotations, description } of readOnly) {
      expect(annotations?.readOnlyHint).toBe(true)
      expect(description).toContain('never as instructions')
    }
    const hints = new Map(deleting.map(({ name, annotations }) => [name, annotations]))
    for (const name of WRITES) expect([name, hints.get(name)?.readOnlyHint]).toEqual([name, false])
    expect(hints.get('append_text')?.destructiveHint).toBe(false)
    expect(hints.get('delete_document')?.destructiveHint).toBe(true)
  })

  it('called in a wrong way ends with 2 and one line', async () => {
    const calls = [['x'], ['--read-only', '--allow-delete'], ['--color', 'red'], ['--name', ' '], ['--linger', '0']]
    for (const { code, stderr, stdout } of await Promise.all(calls.map(args => runCommand(['mcp', ...args])))) {
      expect([code, stderr.split('\n').length, stdout]).toEqual([2, 2, ''])
    }
  })

  it('speaks the protocol of 2026, too, in which every request says who asks', async () => {
    const { client, done } = await startMcp(shared().url, {
      client: { versionNegotiation: { mode: { pin: '2026-07-28' } } },
      name: 'modern-model',
    })
    const ann = await person(shared(), 'modern', 'Ann')
    await done('create_document', { document: 'modern', markdown: 'Hello.' })
    expect(client.getProtocolEra()).toBe('modern')
    await eventually('its name', () => seen(ann, 'modern-model'))
    await has(ann, 'Hello.')
  })
})

describe('reading', () => {
  it('lists documents by prefix, in pages', async () => {
    const { done } = await startMcp(shared().url)
    for (const name of ['l/a', 'l/b', 'l/two words']) await putMarkdown(shared(), name, 'x')
    expect((await done('list_documents', { prefix: 'l/' })).said).toBe('3 documents\nl/a\nl/b\n"l/two words"')
    const page = (await done('list_documents', { prefix: 'l/', limit: 2 })).said
    expect(page).toBe('2 documents; there are more: go on with after="l/b"\nl/a\nl/b')
    const rest = await done('list_documents', { prefix: 'l/', limit: 2, after: 'l/b' })
    expect(rest.said).toBe('1 documents\n"l/two words"')
  })

  it('gives a document as Markdown, with its version and who is here, and is not seen', async () => {
    const { done } = await startMcp(shared().url)
    const markdown = '# Notes\n\n- **one**\n\n## Log\n\nEmpty.\n'
    await putMarkdown(shared(), 'r/a b', markdown)
    const ann = await person(shared(), 'r/a b', 'Ann')
    const first = await done('read_document', { document: 'r/a b' })
    expect(first.content).toBe(markdown.trimEnd())
    expect(first.said).toMatch(/^document: "r\/a b"\nversion: [0-9a-f]{12}\nhere now: Ann\nlines: 1 to 7 of 7$/)
    // By the name that is shown, too; and another version once somebody has written.
    append(ann, 'More.')
    await ann.saved()
    const again = await eventually('the edit', async () => {
      const answer = await done('read_document', { document: '"r/a b"' })
      return answer.content.includes('More.') && answer
    })
    expect(versionIn(again.said)).not.toBe(versionIn(first.said))
    expect(ann.awareness.getStates().size).toBe(1)
  })

  it('gives a section, and a long document in parts', async () => {
    const { done, fails } = await startMcp(shared().url)
    await putMarkdown(shared(), 'r/s', '# A\n\na\n\n## B\n\nb\n\n### C\n\nc\n\n## *B*\n\nbb\n\n# D\n')
    expect((await done('read_document', { document: 'r/s', section: 'C' })).content).toBe('### C\n\nc')
    const second = await done('read_document', { document: 'r/s', section: '## B', occurrence: 2 })
    expect(second.content).toBe('## *B*\n\nbb')
    expect((await done('read_document', { document: 'r/s', section: '# A' })).content).toContain('bb')
    expect((await done('read_document', { document: 'r/s', section: 'D' })).content).toBe('# D')
    expect(await fails('read_document', { document: 'r/s', section: 'B' })).toContain('by `occurrence`, 1 to 2')
    expect(await fails('read_document', { document: 'r/s', section: 'E' })).toContain('its headings are "# A", "## B"')
    expect(await fails('read_document', { document: 'r/s', section: 'B', occurrence: 3 })).toContain('only 2 headings')
    const part = await done('read_document', { document: 'r/s', start_line: 5, line_count: 3 })
    expect([part.content, part.said]).toEqual(['## B\n\nb', expect.stringContaining('lines: 5 to 7 of 17; go on with')])
    expect(await fails('read_document', { document: 'r/s', start_line: 99 })).toContain('there are 17 lines')

    const lines = Array.from({ length: 3000 }, (_, i) => `Line ${i} of a long document.`)
    await putMarkdown(shared(), 'r/long', lines.join('\n\n'))
    let [read, from] = ['', 1]
    for (let calls = 0; from > 0 && calls < 10; calls++) {
      const { content, said } = await done('read_document', { document: 'r/long', start_line: from })
      expect(content.length).toBeLessThanOrEqual(40_000)
      read += `${content}\n`
      from = Number(/start_line=(\d+)/.exec(said)?.[1] ?? 0)
    }
    expect(read).toBe(`${lines.join('\n\n')}\n`)
  })

  it('finds text in names and contents, capitals or not, and through formatting; and what has changed since', async () => {
    const server = await testServer()
    const { done } = await startMcp(server.url)
    await putMarkdown(server, 'f/plan', '# Plan\n\nWe ship on **Friday**, not (yet) Monday.\n\nÜber friday.')
    await putMarkdown(server, 'f/friday list', 'Nothing here.')
    await putMarkdown(server, 'g/other', 'On a Friday.')
    await RawClient.join(`${server.socketUrl}/f/drawing`).then(client => client.commit(typist(1).type('shapes')))
    const { said } = await done('search_documents', { query: 'FRIDAY', prefix: 'f/' })
    expect(said.split('\n')).toEqual([
      '3 documents searched, 2 found for "FRIDAY"; 1 could not be read as text',
      '"f/friday list" (its name)',
      'f/plan (2 lines)',
      '  line 3: We ship on **Friday**, not (yet) Monday.',
      '  line 5: Über friday.',
    ])
    for (const query of ['on friday, NOT', '(yet)  monday', 'ÜBER', 'plan']) {
      expect([query, (await done('search_documents', { query })).said]).toEqual([
        query,
        expect.stringContaining('f/plan'),
      ])
    }
    expect((await done('search_documents', { query: 'f.iday' })).said).toContain('0 found')
    const first = (await done('search_documents', { query: 'friday', limit: 1 })).said
    expect(first).toContain('go on with after="f/friday list"')
    const rest = await done('search_documents', { query: 'friday', limit: 5, after: 'f/friday list' })
    expect(rest.said).toMatch(/2 found.*\nf\/plan[\s\S]*\ng\/other/)
    // What has not changed is not sent again.
    const documentsApi = new ServerApi({ url: server.url, token: undefined }, new AbortController().signal)
    const name = parseDocumentId('g/other')
    const known = await documentsApi.readMarkdown(name, undefined)
    expect(await documentsApi.readMarkdown(name, known)).toBe(known)
    const writer = await program(server, 'g/other')
    replaceText(writer, 'Friday', 'Sunday')
    await writer.saved()
    expect((await done('search_documents', { query: 'friday', prefix: 'g/' })).said).toContain('0 found')
    expect((await done('search_documents', { query: 'sunday', prefix: 'g/' })).said).toContain('line 1: On a Sunday.')
  })
})

describe('editing', () => {
  it('appends, inserts below a heading and replaces text, with the smallest change, saved', async () => {
    const { done } = await startMcp(shared().url)
    const ann = await program(shared(), 'e/1', '## Decisions\n\nShip on *Friday*, not before Friday noon.')
    const kept = fragmentOf(ann).get(1)
    const added = await done('append_text', { document: 'e/1', markdown: '- bought **milk**' })
    expect(added.said).toMatch(
      /^changed e\/1:\n[\s\S]*\+ - bought \*\*milk\*\*\nversion: \w+\nsaved: it is on the server’s disk/,
    )
    await done('insert_after_heading', { document: 'e/1', heading: '## Decisions', markdown: 'None.' })
    const { said } = await done('replace_text', { document: 'e/1', old: 'before Friday', new: 'before **Monday**' })
    expect(said).toMatch(
      /^1 place; changed e\/1:\n@@ 5\n- .*\n\+ Ship on \*Friday\*, not before \*\*Monday\*\* noon\.\n/,
    )
    await has(ann, 'Decisions\nNone.\nShip on Friday, not before Monday noon.\nbought milk')
    expect(fragmentOf(ann).get(2)).toBe(kept)
    expect(await stored(shared(), 'e/1')).toBe(toMarkdown(ann))
    await done('replace_text', { document: 'e/1', old: 'Ship on *Friday*, not before **Monday** noon.\n\n', new: '' })
    await has(ann, 'Decisions\nNone.\nbought milk')
    expect((await done('replace_text', { document: 'e/1', old: 'None', new: 'None' })).said).toContain(
      'nothing to change',
    )
  })

  it('refuses text that stands there not at all, or several times, and says what to do', async () => {
    const { done, fails } = await startMcp(shared().url)
    const ann = await program(shared(), 'e/2', '- TBD\n- TBD\n\nOn *this* day, `a_b`.')
    const before = toMarkdown(ann)
    const ambiguous = await fails('replace_text', { document: 'e/2', old: 'TBD', new: 'x' })
    expect(ambiguous.split('\n').slice(1)).toEqual(['line 1: - TBD', 'line 2: - TBD'])
    expect(ambiguous).toContain('stands in 2 places')
    expect(await fails('replace_text', { document: 'e/2', old: 'On this day', new: 'x' })).toContain('formatting')
    expect(await fails('replace_text', { document: 'e/2', old: 'TBD\nOn', new: 'x' })).toContain('quote the Markdown')
    expect(await fails('replace_text', { document: 'e/2', old: 'nowhere', new: 'x' })).toContain(
      'read the document again',
    )
    expect(await fails('replace_text', { document: 'e/2', old: 'TBD  TBD', new: 'x' })).toContain('other blanks')
    expect(toMarkdown(ann)).toBe(before)
    const { said } = await done('replace_text', { document: 'e/2', old: 'TBD', new: '$& done', all: true })
    expect(said).toContain('2 places')
    await has(ann, '$& done\n$& done\nOn this day, a_b.')
    await done('append_text', { document: 'e/2', markdown: '# Same\n\n# Same' })
    const heading = { document: 'e/2', heading: 'Same', markdown: 'Below the second.' }
    expect(await fails('insert_after_heading', heading)).toContain('2 headings are "Same"')
    await done('insert_after_heading', { ...heading, occurrence: 2 })
    await eventually('the insertion', () => textOf(ann).endsWith('Same\nSame\nBelow the second.'))
  })

  it('replaces a section and the whole against the version that was read: what people wrote since stays', async () => {
    const { done, fails } = await startMcp(shared().url)
    const ann = await program(shared(), 'e/3', '# One\n\nAlpha beta.\n\n## Sub\n\nGamma.\n\n# Two\n\nDelta.')
    const read = await done('read_document', { document: 'e/3' })
    const version = versionIn(read.said)
    replaceText(ann, 'Alpha', 'Alpha and omega')
    insertAfterHeading(ann, 'Two', 'Ann’s line.')
    await ann.saved()
    const section = { document: 'e/3', heading: 'One', base_version: version }
    const { said } = await done('replace_section', {
      ...section,
      markdown: '# One\n\nAlpha BETA.\n\n## Sub\n\nGamma ray.',
    })
    expect(said).toContain('what they wrote is kept')
    await has(ann, 'One\nAlpha and omega BETA.\nSub\nGamma ray.\nTwo\nAnn’s line.\nDelta.')
    // The whole, based on the same old version: only what differs from that.
    const whole = read.content.replace('Delta.', 'Delta force.')
    await done('replace_document', { document: 'e/3', markdown: whole, base_version: version })
    await has(ann, 'One\nAlpha and omega BETA.\nSub\nGamma ray.\nTwo\nAnn’s line.\nDelta force.')
    const now = await done('read_document', { document: 'e/3', section: 'Two' })
    const cleared = { document: 'e/3', heading: 'Two', markdown: '', base_version: versionIn(now.said) }
    expect((await done('replace_section', cleared)).said).not.toContain('is kept')
    await has(ann, 'One\nAlpha and omega BETA.\nSub\nGamma ray.\nTwo')
    const unknown = await fails('replace_document', { document: 'e/3', markdown: 'x', base_version: '0123456789ab' })
    expect(unknown).toContain('read the document again')
    expect(await fails('replace_document', { document: 'e/3', markdown: ' \n', base_version: version })).toContain(
      'nothing',
    )
    expect(await stored(shared(), 'e/3')).toBe(toMarkdown(ann))
  })

  it('creates a document that isn’t there, and touches none that is', async () => {
    const { done, fails, call } = await startMcp(shared().url)
    await done('create_document', { document: 'new/ä', markdown: '# New' })
    expect(await stored(shared(), 'new/ä')).toBe('# New\n')
    expect(await fails('create_document', { document: 'new/ä', markdown: 'x' })).toContain('is there already')
    // Two at once: one of them makes it.
    const both = await Promise.all(['1', '2'].map(markdown => call('create_document', { document: 'new/b', markdown })))
    expect(both.map(({ isError }) => isError).sort()).toEqual([false, true])
    for (const tool of ['append_text', 'create_document']) {
      expect(await fails(tool, { document: 'new/c', markdown: ' \n' })).toContain('there is nothing in it')
    }
    expect(await fails('append_text', { document: 'new/typo', markdown: 'x' })).toContain(
      'create_document makes a new one',
    )
    const listed = (await done('list_documents', { prefix: 'new/' })).said
    expect(listed).toBe('2 documents\nnew/b\nnew/ä')
  })

  it('deletes where that was allowed, and says of a deleted document that it is', async () => {
    const { done, fails } = await startMcp(shared().url, { args: ['--allow-delete'] })
    const ann = await program(shared(), 'doomed', 'x')
    await done('read_document', { document: 'doomed' })
    expect((await done('delete_document', { document: 'doomed' })).said).toBe('deleted doomed')
    await eventually('the end of the session', () => ann.status === 'refused')
    expect(await fails('delete_document', { document: 'doomed' })).toContain('the document was deleted')
    for (const tool of ['append_text', 'create_document']) {
      expect(await fails(tool, { document: 'doomed', markdown: 'y' })).toContain('the document was deleted (4404)')
    }
    expect(await fails('read_document', { document: 'doomed' })).toContain('the document was deleted (4404)')
    expect(await fails('delete_document', { document: 'never' })).toContain('list_documents')
    // Deleted by others, while it is open here.
    await done('create_document', { document: 'doomed/2', markdown: 'x' })
    await api(shared(), 'DELETE', apiPath('doomed/2'), { headers: { 'X-Requested-With': 'test' } })
    await eventually(
      'the refusal',
      async () => (await fails('append_text', { document: 'doomed/2', markdown: 'y' })) !== '',
    )
    expect((await done('list_documents', { prefix: 'doomed' })).said).toBe('0 documents')
  })

  it('tells what is wrong with a call, and goes on', async () => {
    const { client, done, fails } = await startMcp(shared().url)
    for (const name of ['a//b', '../x', 'a\u0000b', 'x'.repeat(256), '"open']) {
      expect([name, await fails('read_document', { document: name })]).toEqual([
        name,
        expect.stringMatching(/name|JSON/),
      ])
    }
    for (const args of [
      {},
      { document: 7 },
      { document: '' },
      { document: 'a', start_line: 0 },
      { document: 'a', sectoin: 'b' },
    ]) {
      expect(await fails('read_document', args)).toContain('Invalid arguments')
    }
    expect(await fails('search_documents', { query: ' ' })).toContain('nothing to look for')
    const huge = { document: 'huge', markdown: 'x'.repeat(1_000_001) }
    expect(await fails('create_document', huge)).toContain('Invalid arguments')
    await expect(client.callTool({ name: 'fly', arguments: {} })).rejects.toThrow('fly')
    await RawClient.join(`${shared().socketUrl}/drawing`).then(raw => raw.commit(typist(1).type('shapes')))
    expect(await fails('read_document', { document: 'drawing' })).toContain('it holds is called "text"')
    expect(await fails('append_text', { document: 'drawing', markdown: 'x' })).toContain('it holds is called "text"')
    await done('create_document', { document: 'large', markdown: 'word '.repeat(199_000) })
    expect((await stored(shared(), 'large')).length).toBeGreaterThan(900_000)
  })

  it('edits beside people and beside itself: nothing is lost', async () => {
    const seed = Date.now() % 100_000
    const random = new Random(seed)
    for (let round = 0; round < rounds.agentRounds; round++) {
      const { done } = await startMcp(shared().url)
      const name = `beside/${round}`
      const ann = await program(shared(), name, '# Log\n\nStart.\n\n# End')
      const version = versionIn((await done('read_document', { document: name })).said)
      const wanted = new Set(['Log', 'Start.', 'End'])
      const calls = Array.from({ length: 8 }, (_, i) => {
        const line = `Agent ${i}.`
        wanted.add(line)
        const below = { document: name, heading: 'Log', markdown: line }
        if (random.chance(0.3)) return done('append_text', { document: name, markdown: line })
        if (random.chance(0.5)) return done('insert_after_heading', below)
        const markdown = `# Log\n\nStart.\n\n# End\n\n${line}`
        return done('replace_document', { document: name, markdown, base_version: version })
      })
      let isOver = false
      const all = Promise.all(calls).finally(() => {
        isOver = true
      })
      for (let typed = 0; !isOver || typed < 5; typed++) {
        const line = `Ann ${typed}.`
        wanted.add(line)
        if (random.chance(0.5)) append(ann, line)
        else insertAfterHeading(ann, 'Log', line)
        await ann.saved()
      }
      for (const { said } of await all) expect(said).toContain('\nsaved: ')
      await eventually(`all lines (seed ${seed}, round ${round})`, () => textOf(ann).split('\n').length >= wanted.size)
      expect([seed, textOf(ann).split('\n').sort()]).toEqual([seed, [...wanted].sort()])
      expect(await stored(shared(), name)).toBe(toMarkdown(ann))
    }
  })
})
