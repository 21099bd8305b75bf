import type { Node } from '@tiptap/pm/model'
import * as Y from 'yjs'

/** The selection as y-tiptap keeps it over a change: relative to the shared document, and as it was in the old text. */
interface KeptSelection {
  type: string
  anchor: Y.RelativePosition
  head: Y.RelativePosition
  absAnchor: number | null
  absHead: number | null
}

/** What is used of ProseMirror's `EditorView`, inner parts of it (1.x) included. */
interface BoundView {
  readonly state: { doc: Node }
  readonly composing?: boolean
  readonly domObserver?: {
    /** What was changed in the page and not been read. */
    pendingRecords(): readonly unknown[]
    /** Reads what was changed in the page, and where the browser's selection is. */
    flush(): void
  }
}

/** What is used of y-tiptap's `ProsemirrorBinding`. */
export interface Binding {
  type: Y.XmlFragment
  doc: Y.Doc
  prosemirrorView: BoundView | null
  beforeTransactionSelection: KeptSelection | null
  /** Runs a function in which what changes in the view is not written into the shared document. */
  mux(run: () => void): void
  /** Keeps the selection in `beforeTransactionSelection`, unless one is kept. */
  beforeAllTransactions(): void
  _observeFunction: (events: Y.YEvent<Y.XmlFragment>[], transaction: Y.Transaction) => void
  _forceRerender(): void
}

/**
 * Stands between the shared document and y-tiptap's binding, whose ways with a change by others (3.0.9) have faults:
 *
 * - It binds a caret in an empty paragraph to the paragraph's end, where it is pushed along by what others write there; and
 *   a selection grows by what others write at its beginning. Here, neither moves.
 * - It takes a caret for misplaced when somebody else edits its paragraph, and looks for a paragraph that reads as this
 *   one did: a caret in an empty paragraph jumps to another empty one. Also it looks at positions of long ago, which
 *   `undo` keeps, and throws. Here, a place that Yjs still finds is right, and a number counts only where it doesn't.
 * - It sets the caret where the editor believes it to be. The browser tells of a click a moment later: in a text that is
 *   written all the time, one click in fifteen went nowhere. Here, the editor looks first where the caret is.
 * - When it throws, the view stays behind the shared document, and the next keystroke writes the old text over the new.
 *   Here, the view is drawn anew; and where that fails too, `onFailure` has to take it away before anybody types.
 * @returns ends it.
 */
export function superviseBinding(binding: Binding, onFailure: (error: unknown) => void): () => void {
  const observe = binding._observeFunction
  binding.type.unobserveDeep(observe)
  binding._observeFunction = (events, transaction) => {
    try {
      trustYjs(binding)
      observe(events, transaction)
    } catch (error) {
      console.warn('A change could not be drawn as such; drawing the whole text', error)
      try {
        binding.beforeTransactionSelection = null
        binding._forceRerender()
      } catch (failure) {
        onFailure(failure)
      }
    }
  }
  binding.type.observeDeep(binding._observeFunction)
  // Called after the binding's own listener, which has just read the selection.
  const keep = () => keepPlace(binding)
  binding.doc.on('beforeAllTransactions', keep)
  const readFirst = ({ local }: Y.Transaction) => {
    if (local || !readCaret(binding)) return
    binding.beforeTransactionSelection = null
    binding.beforeAllTransactions()
    keepPlace(binding)
  }
  binding.doc.on('beforeTransaction', readFirst)
  return () => {
    binding.doc.off('beforeAllTransactions', keep)
    binding.doc.off('beforeTransaction', readFirst)
  }
}

/** Has the editor look where the browser's caret is. @returns whether it could */
function readCaret({ prosemirrorView, mux }: Binding): boolean {
  const { domObserver = undefined, composing = false } = prosemirrorView ?? {}
  // What was typed and not read yet must not get into the transaction of somebody else: it would be sent to nobody.
  if (domObserver === undefined || composing || domObserver.pendingRecords().length > 0) return false
  mux(() => domObserver.flush())
  return true
}

function keepPlace({ beforeTransactionSelection: kept, doc }: Binding): void {
  if (kept === null || kept.type !== 'text' || kept.absAnchor === null || kept.absHead === null) return
  kept.anchor = bindTo(doc, kept.anchor, kept.absAnchor < kept.absHead ? 'right' : 'left')
  kept.head = bindTo(doc, kept.head, kept.absHead < kept.absAnchor ? 'right' : 'left')
}

/** The same place, bound to the character on that side: what is written there by others comes on the other side. */
function bindTo(doc: Y.Doc, relative: Y.RelativePosition, side: 'left' | 'right'): Y.RelativePosition {
  const place = Y.createAbsolutePositionFromRelativePosition(relative, doc)
  if (place === null) return relative
  return Y.createRelativePositionFromTypeIndex(place.type, place.index, side === 'left' ? -1 : 0)
}

function trustYjs({ beforeTransactionSelection: kept, doc, prosemirrorView }: Binding): void {
  if (kept === null || prosemirrorView === null) return
  const { size } = prosemirrorView.state.doc.content
  const isUsable = (absolute: number | null, relative: Y.RelativePosition) =>
    absolute !== null && absolute <= size && !isFound(doc, relative)
  if (!isUsable(kept.absAnchor, kept.anchor)) kept.absAnchor = null
  if (!isUsable(kept.absHead, kept.head)) kept.absHead = null
}

/** Whether the place still is in the document: the type that holds it was not deleted. */
function isFound(doc: Y.Doc, relative: Y.RelativePosition): boolean {
  const found = Y.createAbsolutePositionFromRelativePosition(relative, doc)
  return found !== null && found.type._item?.deleted !== true
}
