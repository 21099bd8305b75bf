import type { Editor } from '@tiptap/core'
import { useCallback, useMemo, useRef, useState } from 'preact/hooks'
import { countWords } from '../editor/outline.ts'
import { Icon, type IconName } from '../ui/Icon.tsx'
import { IconButton } from '../ui/IconButton.tsx'
import { Popover } from '../ui/Popover.tsx'
import { shownShortcut } from '../ui/platform.ts'
import { ThemeSwitch } from '../ui/ThemeSwitch.tsx'
import { copyMarkdown, downloadHtml, downloadMarkdown } from './exportDocument.ts'

interface Props {
  editor: Editor | null
  title: string
  onShare(): void
  onOutline(): void
  onShortcuts(): void
}

/** Words a person reads in a minute, for "4 min": Brysbaert 2019, silent reading of English. */
const wordsPerMinute = 238

/** All that is wanted now and then. */
export function DocumentMenu({ editor, title, onShare, onOutline, onShortcuts }: Props) {
  const button = useRef<HTMLButtonElement>(null)
  const [isOpen, setOpen] = useState(false)
  const close = useCallback(() => setOpen(false), [])
  const then = (run: () => void) => () => {
    setOpen(false)
    run()
  }
  return (
    <>
      <IconButton
        icon="ellipsis"
        label="Menu"
        tipAlign="end"
        isExpanded={isOpen}
        buttonRef={button}
        testId="menu"
        onClick={() => setOpen(!isOpen)}
      />
      {isOpen && (
        <Popover anchor={button} label="Menu" class="document-menu" onClose={close}>
          <Item class="only-phone" icon="share-2" label="Share" onClick={then(onShare)} />
          <Item icon="list-tree" label="Outline" shortcut="Mod-Alt-o" onClick={then(onOutline)} />
          {editor !== null && (
            <>
              <Item
                icon="undo-2"
                label="Undo"
                shortcut="Mod-z"
                onClick={() => editor.commands.undo()}
                isDisabled={!canUndo(editor)}
              />
              <Item
                icon="redo-2"
                label="Redo"
                shortcut="Mod-Shift-z"
                onClick={() => editor.commands.redo()}
                isDisabled={!canRedo(editor)}
              />
              <hr />
              <Item icon="copy" label="Copy as Markdown" onClick={then(() => void copyMarkdown(editor))} />
              <Item
                icon="download"
                label="Download Markdown"
                onClick={then(() => void downloadMarkdown(editor, title))}
              />
              <Item icon="download" label="Download HTML" onClick={then(() => void downloadHtml(editor, title))} />
            </>
          )}
          <hr />
          <Item icon="keyboard" label="Keyboard shortcuts" shortcut="Mod-/" onClick={then(onShortcuts)} />
          <div class="menu-row">
            <span>Appearance</span>
            <ThemeSwitch />
          </div>
          {editor !== null && <WordCount editor={editor} />}
        </Popover>
      )}
    </>
  )
}

function WordCount({ editor }: { editor: Editor }) {
  const { doc } = editor.state
  const words = useMemo(() => countWords(doc), [doc])
  const minutes = Math.max(1, Math.round(words / wordsPerMinute))
  return (
    <p class="note">
      {words.toLocaleString()} {words === 1 ? 'word' : 'words'}
      {words > 0 && ` · ${minutes} min to read`}
    </p>
  )
}

interface ItemProps {
  icon: IconName
  label: string
  shortcut?: string
  isDisabled?: boolean
  class?: string
  onClick(): void
}

function Item({ icon, label, shortcut, isDisabled, onClick, ...props }: ItemProps) {
  return (
    <button type="button" class={`menu-item ${props.class ?? ''}`} disabled={isDisabled} onClick={onClick}>
      <Icon name={icon} />
      <span>{label}</span>
      {shortcut !== undefined && <kbd>{shownShortcut(shortcut)}</kbd>}
    </button>
  )
}

const canUndo = (editor: Editor) => editor.isEditable && 'undo' in editor.commands && editor.can().undo()
const canRedo = (editor: Editor) => editor.isEditable && 'redo' in editor.commands && editor.can().redo()
