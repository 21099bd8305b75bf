import { Dialog } from '../ui/Dialog.tsx'
import { shownShortcut } from '../ui/platform.ts'

const groups: readonly { title: string; rows: readonly [what: string, keys: string, isTyped?: boolean][] }[] = [
  {
    title: 'Text',
    rows: [
      ['Bold', 'Mod-b'],
      ['Italic', 'Mod-i'],
      ['Strike through', 'Mod-Shift-s'],
      ['Code', 'Mod-e'],
      ['Link', 'Mod-k'],
      ['Undo', 'Mod-z'],
      ['Redo', 'Mod-Shift-z'],
    ],
  },
  {
    title: 'Blocks',
    rows: [
      ['Heading 1, 2, 3', 'Mod-Alt-1'],
      ['Bulleted list', 'Mod-Shift-8'],
      ['Numbered list', 'Mod-Shift-7'],
      ['Task list', 'Mod-Shift-9'],
      ['Quote', 'Mod-Shift-b'],
      ['Code block', 'Mod-Alt-c'],
      ['Deeper, back (lists)', 'Tab, Shift-Tab', true],
    ],
  },
  {
    title: 'As you type',
    rows: [
      ['Menu of blocks', '/', true],
      ['Heading', '# ## ###', true],
      ['List', '- or 1.', true],
      ['Task', '[ ]', true],
      ['Quote', '>', true],
      ['Code block', '```', true],
      ['Divider', '---', true],
    ],
  },
  {
    title: 'Page',
    rows: [
      ['To the floating toolbar', 'Alt-F10'],
      ['Outline', 'Mod-Alt-o'],
      ['These shortcuts', 'Mod-/'],
      ['Follow a link', 'Mod-Click'],
      ['Close a menu', 'Esc', true],
    ],
  },
]

export function ShortcutsDialog({ onClose }: { onClose(): void }) {
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <div class="shortcuts">
        {groups.map(({ title, rows }) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl>
              {rows.map(([what, keys, isTyped]) => (
                <div key={what}>
                  <dt>{what}</dt>
                  <dd>
                    <kbd>{isTyped ? keys : shownShortcut(keys)}</kbd>
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  )
}
