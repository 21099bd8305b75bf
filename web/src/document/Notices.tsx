import type { ReadonlySignal } from '@preact/signals'
import { Fragment } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type * as Y from 'yjs'
import type { DocumentEditor } from '../editor/DocumentEditor.ts'
import { Icon } from '../ui/Icon.tsx'
import { IconButton } from '../ui/IconButton.tsx'
import { sizeText } from '../uploads/uploadFile.ts'
import { type ContentElsewhere, contentElsewhere } from './contentElsewhere.ts'
import type { AccessChange, DocumentSize } from './DocumentSession.ts'
import type { RefusalText } from './refusalText.ts'

// What stands above the text while something is the matter: what it is, what is safe, what to do.

interface RefusedProps {
  refusal: RefusalText
  /** Whether the server lacks something that was written here. */
  isUnsaved: boolean
  isKept: ReadonlySignal<boolean>
  onRetry(): void
}

/** The server refuses a document whose content is here. */
export function RefusedNote({ refusal, isUnsaved, isKept, onRetry }: RefusedProps) {
  const unsaved = isKept.value
    ? 'Your text is kept on this device and can be read and copied, but not changed.'
    : 'Your text is in this page only, where it can be read and copied: leave it open.'
  const saved = isKept.value ? 'What you see is the copy on this device.' : 'What you see is in this page only.'
  const safe = isUnsaved ? unsaved : saved
  return (
    <div class={`notice ${isUnsaved ? 'danger' : 'warning'}`} role="alert" data-testid="refused">
      <Icon name="triangle-alert" />
      <p>
        <strong>{refusal.title}.</strong> {safe} {refusal.advice}
      </p>
      <button type="button" class="button" onClick={onRetry}>
        Try again
      </button>
    </div>
  )
}

/** Why nobody may write in a document here, and what to do. */
const PLIGHTS: Readonly<Record<Exclude<AccessChange['why'], null>, { what: string; advice: string }>> = {
  'disk-full': {
    what: 'Nobody can write now: the server has too little space left.',
    advice: 'Writing goes on by itself when there is space.',
  },
  damaged: {
    what: 'Nobody can write here now: this document is damaged on the server.',
    advice: 'Tell whoever runs this server.',
  },
  outdated: {
    what: 'This page is older than the server, and can only show documents now.',
    advice: 'Load it again to write.',
  },
}

/** @param hasRefused whether this person changed something all the same: before the server had said so, or offline */
export function ReaderNote({
  hasRefused,
  access: { change, why, wasSaved },
}: {
  hasRefused: boolean
  access: AccessChange
}) {
  const safe = hasRefused
    ? ' What you changed here is kept on this device only, and nobody else sees it.'
    : wasSaved
      ? ' What you wrote before is saved.'
      : ''
  if (why !== null) {
    return (
      <div class="notice warning" role="alert" data-testid="reader">
        <Icon name="triangle-alert" />
        <p>
          <strong>{PLIGHTS[why].what}</strong>
          {safe} {PLIGHTS[why].advice}
        </p>
        {why === 'outdated' && (
          <button type="button" class="button" onClick={() => location.reload()}>
            Reload
          </button>
        )}
      </div>
    )
  }
  return (
    <div class="notice plain" role="status" data-testid="reader">
      <Icon name="eye" />
      <p>
        {change === 'shrunk' ? (
          <>
            <strong>Your access was changed: you can read this document, and no longer change it.</strong>
            {safe}
          </>
        ) : (
          <>
            <strong>
              <span class="not-phone">You can read this document, not change it.</span>
              <span class="only-phone">You can read, not write.</span>
            </strong>
            {hasRefused && safe}
            <span class="not-phone">
              {!hasRefused && ' What others write appears here.'} To write too, ask whoever gave you the link.
            </span>
          </>
        )}
      </p>
    </div>
  )
}

/** The document has reached its size limit: the server takes what deletes, and nothing more. */
export function FullNote({ limitBytes, hasRefused }: { limitBytes: number; hasRefused: boolean }) {
  return (
    <div class={`notice ${hasRefused ? 'danger' : 'warning'}`} role="alert" data-testid="full">
      <Icon name="triangle-alert" />
      <p>
        <strong>The document is at its size limit ({sizeText(limitBytes)}).</strong>{' '}
        {hasRefused
          ? 'What you wrote since then is kept on this device only.'
          : 'What was written before is saved; nothing more can be added.'}{' '}
        Delete something, or go on in another document.
      </p>
    </div>
  )
}

/** The document nears its size limit: said once, before there is no room left. */
export function LargeNote({ size: { bytes, limitBytes } }: { size: DocumentSize }) {
  const [isRead, setRead] = useState(false)
  if (isRead) return null
  return (
    <div class="notice warning" role="status" data-testid="large">
      <Icon name="triangle-alert" />
      <p>
        <strong>
          This document is large: {sizeText(bytes)} of the {sizeText(limitBytes)} that it may have.
        </strong>{' '}
        It is saved like any other. Go on in another document before there is no room left.
      </p>
      <IconButton icon="x" label="Dismiss" tipAlign="end" onClick={() => setRead(true)} />
    </div>
  )
}

/** The document holds what this editor would delete. */
export function ReadingNote({ names }: { names: readonly string[] }) {
  const different = [...new Set(names)]
  const shown = `${different.slice(0, 3).join(', ')}${different.length > 3 ? '…' : ''}`
  return (
    <div class="notice warning" role="status" data-testid="reading-only">
      <Icon name="eye" />
      <p>
        <strong>This document can only be read here.</strong> It has parts that this editor doesn’t know ({shown}) and
        would delete. Nothing is lost; to write, open it in the application that wrote it.
      </p>
    </div>
  )
}

/** What would look like a loss: an empty page, where the document's content is in what this page doesn't show. */
export function ElsewhereNote({ ydoc, documentEditor }: { ydoc: Y.Doc; documentEditor: DocumentEditor }) {
  const [found, setFound] = useState<ContentElsewhere | null>(null)
  useEffect(() => {
    const look = () => setFound(documentEditor.mode.peek()?.editor.isEmpty ? contentElsewhere(ydoc) : null)
    // What this person writes now doesn't take it away: the text would jump under their hand.
    const changed = ({ local }: Y.Transaction) => {
      if (!local) look()
    }
    look()
    ydoc.on('afterTransaction', changed)
    return () => ydoc.off('afterTransaction', changed)
  }, [ydoc, documentEditor])
  if (found === null) return null
  const { isText, names } = found
  return (
    <div class="notice plain" role="status" data-testid="elsewhere">
      <Icon name="eye" />
      <p>
        <strong>
          {isText ? 'The text' : 'The content'} of this document is in{' '}
          {names.slice(0, 3).map((name, index) => (
            <Fragment key={name}>
              {index > 0 && ', '}
              <code>{name}</code>
            </Fragment>
          ))}
          {names.length > 3 && '…'}, which this page doesn’t show.
        </strong>{' '}
        Nothing is lost. What is written here stands beside it.
      </p>
    </div>
  )
}
