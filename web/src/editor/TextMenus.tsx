import type { ReadonlySignal } from '@preact/signals'
import { type Editor, getMarkRange, posToDOMRect } from '@tiptap/core'
import { TextSelection } from '@tiptap/pm/state'
import { CellSelection } from '@tiptap/pm/tables'
import { isSafeLink, isShownImage } from '@weft/schema'
import { useEffect, useState } from 'preact/hooks'
import { Floating } from '../ui/Floating.tsx'
import type { IconName } from '../ui/Icon.tsx'
import { IconButton } from '../ui/IconButton.tsx'
import { AddressField } from './AddressField.tsx'
import { imageField, linkField, typedAddress } from './fields.ts'
import { repairTables } from './tableRepair.ts'

interface Props {
  editor: Editor
  /** Changes with the editor's state. */
  tick: ReadonlySignal<number>
  /** Puts images at the selection. */
  onImages(files: Iterable<File>): void
}

/** What floats at the selection: formatting, a link's field and card, an image's field, a table's tools. At most one. */
export function TextMenus({ editor, tick, onImages }: Props) {
  const version = tick.value
  const isPointerDown = usePointerDown(editor)
  const [dismissed, setDismissed] = useState('')
  const { selection } = editor.state
  const rect = () => rangeRect(editor, selection)
  const focusText = () => editor.commands.focus(undefined, { scrollIntoView: false })
  // Which selection it is that a menu was closed for.
  const place = `${selection.from} ${selection.to}`
  const leave = () => {
    setDismissed(place)
    focusText()
  }

  useEffect(() => {
    if (editor.isDestroyed) return
    const closed = (event: KeyboardEvent) => {
      if (event.key === 'Escape' && !event.defaultPrevented) setDismissed(place)
      if (event.key === 'F10' && event.altKey) {
        event.preventDefault()
        document.querySelector<HTMLElement>('.floating [tabindex="0"], .floating button')?.focus()
      }
    }
    // Kept: an editor that is gone has no view to ask.
    const { dom } = editor.view
    dom.addEventListener('keydown', closed)
    return () => dom.removeEventListener('keydown', closed)
  }, [editor, place])

  if (editor.isDestroyed || !editor.isEditable) return null

  if (imageField.value) {
    return (
      <Floating
        class="menu field"
        rect={rect}
        context={editor.view.dom}
        placement="bottom-start"
        version={version}
        label="Image"
        role="dialog"
      >
        <AddressField
          label="Address of the image"
          placeholder="https://…  or choose a file"
          onFiles={files => {
            imageField.value = false
            onImages(files)
            focusText()
          }}
          initial=""
          problem={text => (isShownImage(typedAddress(text)) ? null : 'An image’s address begins with https://')}
          onSubmit={text => {
            imageField.value = false
            const src = typedAddress(text)
            // The focus last: Chromium writes before an image that was put before the caret while the text had the focus.
            if (src !== '') editor.chain().setImage({ src }).createParagraphNear().run()
            focusText()
          }}
          onCancel={() => {
            imageField.value = false
            focusText()
          }}
        />
      </Floating>
    )
  }

  if (linkField.value) {
    return (
      <Floating
        class="menu field"
        rect={rect}
        context={editor.view.dom}
        placement="bottom-start"
        version={version}
        label="Link"
        role="dialog"
      >
        <AddressField
          label="Address of the link"
          placeholder="example.org, or paste a link"
          initial={String(editor.getAttributes('link').href ?? '')}
          problem={text =>
            isSafeLink(typedAddress(text)) ? null : 'A link begins with https://, http://, mailto: or tel:'
          }
          onSubmit={text => {
            linkField.value = false
            applyLink(editor, typedAddress(text))
          }}
          onCancel={() => {
            linkField.value = false
            focusText()
          }}
        />
      </Floating>
    )
  }

  const isHere = editor.view.hasFocus() || document.activeElement?.closest('.floating') != null
  if (!isHere || isPointerDown || dismissed === place) return null

  if (
    selection instanceof TextSelection &&
    !selection.empty &&
    editor.state.doc.textBetween(selection.from, selection.to) !== ''
  ) {
    if (selection.$from.parent.type.spec.code) return null
    return (
      <Toolbar label="Formatting" rect={rect} editor={editor} version={version} onEscape={leave}>
        {marks.map(({ mark, icon, label, shortcut, toggle }) => (
          <IconButton
            key={mark}
            icon={icon}
            label={label}
            shortcut={shortcut}
            isPressed={editor.isActive(mark)}
            onClick={() => toggle(editor)}
          />
        ))}
        <IconButton
          icon="link"
          label="Link"
          shortcut="Mod-k"
          isPressed={editor.isActive('link')}
          onClick={() => {
            linkField.value = true
          }}
        />
        <span class="divider" />
        {([1, 2, 3] as const).map(level => (
          <IconButton
            key={level}
            icon={`heading-${level}`}
            label={`Heading ${level}`}
            shortcut={`Mod-Alt-${level}`}
            isPressed={editor.isActive('heading', { level })}
            onClick={() => editor.chain().focus().toggleHeading({ level }).run()}
          />
        ))}
        <IconButton
          icon="text-quote"
          label="Quote"
          shortcut="Mod-Shift-b"
          isPressed={editor.isActive('blockquote')}
          onClick={() => editor.chain().focus().toggleBlockquote().run()}
        />
      </Toolbar>
    )
  }

  if (selection.empty && editor.isActive('link')) {
    const href = String(editor.getAttributes('link').href ?? '')
    const range = getMarkRange(selection.$from, editor.schema.marks.link as never)
    const linkRect = () => rangeRect(editor, range ?? selection)
    return (
      <Toolbar label="Link" rect={linkRect} editor={editor} version={version} placement="bottom-start" onEscape={leave}>
        <span class="link-address">{href.replace(/^https?:\/\//, '')}</span>
        <IconButton icon="pencil" label="Edit link" shortcut="Mod-k" onClick={() => (linkField.value = true)} />
        {isSafeLink(href) && (
          <IconButton
            icon="external-link"
            label="Open link"
            onClick={() => window.open(href, '_blank', 'noopener,noreferrer')}
          />
        )}
        <IconButton
          icon="unlink"
          label="Remove link"
          onClick={() => editor.chain().focus().extendMarkRange('link').unsetLink().run()}
        />
      </Toolbar>
    )
  }

  if (editor.isActive('table') && (selection.empty || selection instanceof CellSelection)) {
    const tableRect = () => closestElement(editor, 'table')?.getBoundingClientRect() ?? rect()
    return (
      <Toolbar label="Table" rect={tableRect} editor={editor} version={version} placement="top-start" onEscape={leave}>
        {tableTools.map(({ icon, label, run }) => (
          <IconButton
            key={label}
            icon={icon}
            label={label}
            onClick={() => {
              repairTables(editor)
              run(editor)
            }}
          />
        ))}
      </Toolbar>
    )
  }
  return null
}

interface ToolbarProps {
  label: string
  rect: () => DOMRect | null
  editor: Editor
  version: unknown
  placement?: 'top' | 'top-start' | 'bottom-start'
  children: preact.ComponentChildren
  onEscape(): void
}

/** A row of buttons with one stop for the Tab key; the arrows go along it. Alt+F10 goes there from the text. */
function Toolbar({ label, rect, editor, version, placement = 'top', children, onEscape }: ToolbarProps) {
  // Fingers select with handles below the text, and the phone's own menu stands above.
  const isTouch = matchMedia('(pointer: coarse)').matches
  return (
    <Floating
      class="menu toolbar"
      role="toolbar"
      label={label}
      testId={`${label.toLowerCase()}-toolbar`}
      rect={rect}
      context={editor.view.dom}
      placement={isTouch && placement === 'top' ? 'bottom' : placement}
      gap={isTouch ? 20 : 8}
      version={version}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.preventDefault()
          onEscape()
          return
        }
        const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
        if (step === 0 || !(event.currentTarget instanceof HTMLElement)) return
        event.preventDefault()
        const buttons = [...event.currentTarget.querySelectorAll<HTMLButtonElement>('button')]
        const index = buttons.indexOf(document.activeElement as HTMLButtonElement)
        buttons.at((index + step + buttons.length) % buttons.length)?.focus()
      }}
    >
      {children}
    </Floating>
  )
}

interface MarkTool {
  mark: string
  icon: IconName
  label: string
  shortcut: string
  toggle(editor: Editor): void
}

const marks: readonly MarkTool[] = [
  { mark: 'bold', icon: 'bold', label: 'Bold', shortcut: 'Mod-b', toggle: e => e.chain().focus().toggleBold().run() },
  {
    mark: 'italic',
    icon: 'italic',
    label: 'Italic',
    shortcut: 'Mod-i',
    toggle: e => e.chain().focus().toggleItalic().run(),
  },
  {
    mark: 'strike',
    icon: 'strikethrough',
    label: 'Strike through',
    shortcut: 'Mod-Shift-s',
    toggle: e => e.chain().focus().toggleStrike().run(),
  },
  { mark: 'code', icon: 'code', label: 'Code', shortcut: 'Mod-e', toggle: e => e.chain().focus().toggleCode().run() },
]

const tableTools: readonly { icon: IconName; label: string; run(editor: Editor): void }[] = [
  { icon: 'between-vertical-end', label: 'Add row below', run: e => e.chain().focus().addRowAfter().run() },
  {
    icon: 'between-horizontal-end',
    label: 'Add column on the right',
    run: e => e.chain().focus().addColumnAfter().run(),
  },
  { icon: 'fold-vertical', label: 'Delete row', run: e => e.chain().focus().deleteRow().run() },
  { icon: 'fold-horizontal', label: 'Delete column', run: e => e.chain().focus().deleteColumn().run() },
  { icon: 'panel-top', label: 'Header row', run: e => e.chain().focus().toggleHeaderRow().run() },
  { icon: 'trash-2', label: 'Delete table', run: e => e.chain().focus().deleteTable().run() },
]

/** Where a range stands in the window; `null` if the text has changed meanwhile. */
function rangeRect(editor: Editor, { from, to }: { from: number; to: number }): DOMRect | null {
  if (editor.isDestroyed || to > editor.state.doc.content.size) return null
  return posToDOMRect(editor.view, from, to)
}

/** Links the selection, changes the link at the caret, or puts the address itself there. Empty: no link. */
function applyLink(editor: Editor, href: string): void {
  const chain = editor.chain().focus()
  if (href === '') chain.extendMarkRange('link').unsetLink().run()
  else if (!editor.state.selection.empty || editor.isActive('link'))
    chain.extendMarkRange('link').setLink({ href }).run()
  else
    chain
      .insertContent({ type: 'text', text: href.replace(/^mailto:/, ''), marks: [{ type: 'link', attrs: { href } }] })
      .run()
}

function closestElement(editor: Editor, selector: string): Element | null {
  if (editor.isDestroyed) return null
  const { node } = editor.view.domAtPos(editor.state.selection.from)
  const element = node instanceof Element ? node : node.parentElement
  return element?.closest(selector) ?? null
}

/** While somebody selects with a pointer, nothing may stand in its way. */
function usePointerDown(editor: Editor): boolean {
  const [isDown, setDown] = useState(false)
  useEffect(() => {
    if (editor.isDestroyed) return
    const { dom } = editor.view
    const down = () => setDown(true)
    const up = () => setDown(false)
    dom.addEventListener('pointerdown', down)
    window.addEventListener('pointerup', up)
    window.addEventListener('pointercancel', up)
    return () => {
      dom.removeEventListener('pointerdown', down)
      window.removeEventListener('pointerup', up)
      window.removeEventListener('pointercancel', up)
    }
  }, [editor])
  return isDown
}
