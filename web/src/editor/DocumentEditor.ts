import { batch, type ReadonlySignal, signal } from '@preact/signals'
import { Editor, Extension } from '@tiptap/core'
import { Collaboration } from '@tiptap/extension-collaboration'
import { Dropcursor, Gapcursor, Placeholder, Selection } from '@tiptap/extensions'
import { ySyncPluginKey } from '@tiptap/y-tiptap'
import { FRAGMENT_NAME, findUnknown, readNode, type Unknown } from '@weft/schema'
import type { Awareness } from 'y-protocols/awareness'
import type * as Y from 'yjs'
import { guardPaste } from '../paste/guardPaste.ts'
import { toast } from '../ui/toast.tsx'
import { imagePlace } from '../uploads/imagePlace.ts'
import { takeImages } from '../uploads/takeImages.ts'
import type { Uploads } from '../uploads/Uploads.ts'
import { carets } from './carets.ts'
import { contentExtensions } from './contentExtensions.ts'
import { imageField, linkField } from './fields.ts'
import { guardFragment } from './guardFragment.ts'
import { immediateFocus } from './immediateFocus.ts'
import { slashMenu, slashState } from './slashMenu.ts'
import { steadyMarks } from './steadyMarks.ts'
import { superviseBinding } from './superviseBinding.ts'
import { tableRepair } from './tableRepair.ts'

/**
 * - `editing`: the editor is bound to the shared document;
 * - `reading`: the shared document holds what this version can't show, and the editor shows a copy that can't be edited.
 */
export type EditorMode = { mode: 'editing'; editor: Editor } | { mode: 'reading'; editor: Editor; unknown: Unknown[] }

/** Shortest time between two readings of a document that is only shown, in ms. */
const readAgainMs = 300

const attributes = {
  class: 'text',
  role: 'textbox',
  'aria-multiline': 'true',
  'aria-label': 'Text of the document',
  'data-testid': 'editor',
}

/** Keys that TipTap doesn't have. */
const keys = Extension.create({
  name: 'weftKeys',
  addKeyboardShortcuts: () => ({
    'Mod-k': () => {
      linkField.value = true
      return true
    },
  }),
})

/**
 * A shared document on a screen.
 *
 * [E1] Nothing is bound to the shared document that would lose a part of it: it is looked at before the editor is bound,
 *      and at every change by others before the editor renders it.
 * [E2] Nothing is written but what this person does: no first content, no paragraph at the end, no repairs.
 * [E3] An editor that failed to render a change is replaced by a new one: it would write its old state over the others'.
 */
export class DocumentEditor {
  readonly #fragment: Y.XmlFragment
  readonly #ydoc: Y.Doc
  readonly #awareness: Awareness
  readonly #host: HTMLElement
  readonly #uploads: Uploads
  readonly #mode = signal<EditorMode | null>(null)
  readonly #tick = signal(0)
  #stopWatching: () => void = () => {}
  #isEditable = true
  #isDestroyed = false
  #frame = 0
  #readAgain: ReturnType<typeof setTimeout> | undefined

  /** @param host the element that the text is put into; `ydoc` holds the document's first content already. */
  constructor(ydoc: Y.Doc, awareness: Awareness, uploads: Uploads, host: HTMLElement) {
    this.#ydoc = ydoc
    this.#awareness = awareness
    this.#uploads = uploads
    this.#host = host
    this.#fragment = ydoc.getXmlFragment(FRAGMENT_NAME)
    ydoc.on('afterAllTransactions', this.#afterChange)
    this.#start()
  }

  get mode(): ReadonlySignal<EditorMode | null> {
    return this.#mode
  }

  /** Changes with every change of text, selection or focus, at most once per frame. */
  get tick(): ReadonlySignal<number> {
    return this.#tick
  }

  setEditable(isEditable: boolean): void {
    this.#isEditable = isEditable
    const current = this.#mode.value
    if (current?.mode !== 'editing' || current.editor.isEditable === isEditable) return
    current.editor.setEditable(isEditable)
    // The menus follow.
    this.#changed()
  }

  /** Uploads images, and puts them at a place in the text. */
  putImages(files: Iterable<File>, editor: Editor, at: number): void {
    const current = () => (this.#mode.value?.mode === 'editing' ? this.#mode.value.editor : null)
    this.#uploads.add(files, imagePlace(editor, at, current))
  }

  destroy(): void {
    this.#isDestroyed = true
    this.#stop()
    this.#ydoc.off('afterAllTransactions', this.#afterChange)
    clearTimeout(this.#readAgain)
    cancelAnimationFrame(this.#frame)
  }

  #start(): void {
    const unknown = findUnknown(this.#fragment)
    if (unknown.length > 0) this.#read(unknown)
    else this.#edit()
  }

  #stop(): void {
    this.#stopWatching()
    const editor = this.#mode.value?.editor
    // First, whoever draws by this editor: a destroyed one has no view to ask.
    batch(() => {
      this.#mode.value = null
      slashState.value = null
      imageField.value = false
      linkField.value = false
    })
    editor?.destroy()
  }

  #edit(): void {
    const editor = new Editor({
      element: this.#host,
      injectCSS: false,
      editable: this.#isEditable,
      editorProps: {
        attributes: { ...attributes, spellcheck: 'true', autocapitalize: 'sentences' },
        handleClick: (_view, _position, event) => openLink(event),
      },
      extensions: [
        ...contentExtensions,
        immediateFocus,
        steadyMarks,
        takeImages((files, at, editor) => this.putImages(files, editor, at)),
        guardPaste(why =>
          toast(`Nothing was pasted: ${why}. It is still in your clipboard; paste it in smaller parts.`),
        ),
        Collaboration.configure({ fragment: this.#fragment }),
        carets(this.#awareness),
        Placeholder.configure({ placeholder: ({ editor }) => placeholder(editor) }),
        Dropcursor.configure({ class: 'drop-cursor', width: 2, color: false }),
        Gapcursor,
        Selection.configure({ className: 'kept-selection' }),
        slashMenu,
        tableRepair,
        keys,
      ],
      onTransaction: this.#changed,
      onFocus: this.#changed,
      onBlur: this.#changed,
    })
    const stopSupervision = superviseBinding(ySyncPluginKey.getState(editor.state).binding, error => {
      console.error('The editor could not show a change, and is replaced', error)
      this.#stop()
      queueMicrotask(() => {
        if (!this.#isDestroyed) this.#start()
      })
    })
    const stopGuard = guardFragment(
      this.#fragment,
      transaction => transaction.origin === ySyncPluginKey,
      // [E1] Still before the observers: a view that is gone writes nothing.
      unknown => {
        this.#stop()
        queueMicrotask(() => {
          if (!this.#isDestroyed) this.#read(unknown)
        })
      },
    )
    this.#stopWatching = () => {
      stopSupervision()
      stopGuard()
    }
    this.#mode.value = { mode: 'editing', editor }
  }

  #read(unknown: Unknown[]): void {
    const editor = new Editor({
      element: this.#host,
      injectCSS: false,
      editable: false,
      editorProps: { attributes: { ...attributes, 'aria-readonly': 'true' } },
      extensions: contentExtensions,
      content: readNode(this.#fragment).toJSON(),
      onTransaction: this.#changed,
    })
    this.#mode.value = { mode: 'reading', editor, unknown }
  }

  /** A document that is only shown is read again when it changes, and edited again when it holds nothing unknown. */
  readonly #afterChange = (): void => {
    if (this.#mode.value?.mode !== 'reading' || this.#readAgain !== undefined) return
    this.#readAgain = setTimeout(() => {
      this.#readAgain = undefined
      const current = this.#mode.value
      if (this.#isDestroyed || current?.mode !== 'reading') return
      const unknown = findUnknown(this.#fragment)
      if (unknown.length === 0) {
        this.#stop()
        this.#edit()
      } else {
        current.editor.commands.setContent(readNode(this.#fragment).toJSON(), { emitUpdate: false })
        this.#mode.value = { ...current, unknown }
      }
    }, readAgainMs)
  }

  readonly #changed = (): void => {
    if (this.#frame !== 0) return
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0
      this.#tick.value++
    })
  }
}

function placeholder(editor: Editor): string {
  return editor.isEmpty ? 'Write, or press / for headings, lists, tables…' : ''
}

/** In a text that is edited, a click sets the caret; with Ctrl or ⌘ it follows the link. */
function openLink(event: MouseEvent): boolean {
  if (!event.ctrlKey && !event.metaKey) return false
  const link = event.target instanceof Element ? event.target.closest('a[href]') : null
  if (!(link instanceof HTMLAnchorElement)) return false
  window.open(link.href, '_blank', 'noopener,noreferrer')
  return true
}
