import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { toMarkdown } from '@weft/client/text'
import { describe, expect, it } from 'vitest'
import { Random } from '../crdt/Random.ts'
import { browserWindows } from '../support/browserWindows.ts'
import { program, shows } from '../support/editing.ts'
import { eventually } from '../support/eventually.ts'
import { testFolder, testServer } from '../support/testServer.ts'
import { SimulatedEditor } from '../sync/SimulatedEditor.ts'
import { bothSay, readText, SyncProcess } from '../sync/SyncProcess.ts'

describe('a person in a browser and one with a file', () => {
  const windows = browserWindows('chromium')

  it('write in one document at the same time, and see each other', async () => {
    const server = await testServer()
    const document = await program(server, 'a', '# Notes\n\nfirst\n\nlast')
    const folder = await testFolder()
    const file = join(folder, 'notes.md')
    const sync = new SyncProcess(server.url, join(folder, 'state'), file, 'a')
    const window = await windows.open(server.url)
    await window.goTo('a')
    await bothSay(file, document, '# Notes\n\nfirst\n\nlast\n')
    const editor = new SimulatedEditor(file, new Random(1))
    editor.load()
    await window.text.getByText('last').click()
    await window.keyboard.press('End')
    // Typed while the file is saved, by an editor that doesn't load what is typed.
    const typing = window.keyboard.type(' and what is typed meanwhile', { delay: 20 })
    for (const [index, pattern] of (['truncate', 'rename', 'backup'] as const).entries()) {
      editor.insert(`saved${index}`)
      await editor.save(pattern)
      await eventually(`save ${index}`, () => sync.events.filter(({ event }) => event === 'taken').length > index)
    }
    await typing
    await window.shows('saved')
    await eventually('the file to say what the document says', () => readText(file) === toMarkdown(document))
    const lines = readFileSync(file, 'utf8')
      .split('\n')
      .filter(line => line !== '')
    expect([...lines].sort()).toEqual([
      '# Notes',
      'first',
      'last and what is typed meanwhile',
      'saved0',
      'saved1',
      'saved2',
    ])
    await shows(
      window,
      lines.map(line => line.replace('# ', '')),
    )
    // The caret is where it was.
    await window.keyboard.type('!')
    await eventually('the last letter', () => readText(file)?.includes('last and what is typed meanwhile!\n') === true)
    await window.page.getByTestId('people').click()
    await window.page.getByText('notes.md (sync)').first().waitFor()
  })
})
