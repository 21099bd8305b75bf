import { useRef, useState } from 'preact/hooks'
import { newDocumentId } from '../device/newDocumentId.ts'
import { forgetDocument, type RecentDocument, recentDocuments, restoreDocument } from '../device/recentDocuments.ts'
import { documentIdFrom, documentIdProblem, documentPath, navigate } from '../route.ts'
import { Icon } from '../ui/Icon.tsx'
import { IconButton } from '../ui/IconButton.tsx'
import { Mark } from '../ui/Mark.tsx'
import { ThemeSwitch } from '../ui/ThemeSwitch.tsx'
import { toast } from '../ui/toast.tsx'
import { agoText } from './agoText.ts'

/** The documents opened on this device; the way to a new one and to one by its name. */
export default function HomePage() {
  const documents = recentDocuments.value
  const create = () => navigate(documentPath(newDocumentId()))
  return (
    <div class="home">
      <header class="home-head">
        <span class="brand">
          <Mark size={26} />
          weft
        </span>
        <ThemeSwitch />
      </header>
      <main>
        {documents.length === 0 ? (
          <section class="empty">
            <Mark size={72} />
            <h1>Write together</h1>
            <p>Documents that you open on this device are listed here.</p>
            <button type="button" class="button primary" data-testid="new-document" onClick={create}>
              <Icon name="plus" /> New document
            </button>
            <OpenByName />
          </section>
        ) : (
          <>
            <div class="home-title">
              <h1>Documents</h1>
              <button type="button" class="button primary" data-testid="new-document" onClick={create}>
                <Icon name="plus" /> New document
              </button>
            </div>
            <OpenByName />
            <ul class="documents" aria-label="Documents opened on this device">
              {documents.map(entry => (
                <DocumentRow key={entry.documentId} entry={entry} />
              ))}
            </ul>
          </>
        )}
      </main>
    </div>
  )
}

function DocumentRow({ entry }: { entry: RecentDocument }) {
  const { documentId, title, openedAt } = entry
  return (
    <li>
      <a href={documentPath(documentId)} data-route>
        <span class="document-title" dir="auto">
          {title === '' ? documentId : title}
        </span>
        {title !== '' && <span class="document-id">{documentId}</span>}
        <time dateTime={new Date(openedAt).toISOString()} title={new Date(openedAt).toLocaleString()}>
          {agoText(openedAt, Date.now())}
        </time>
      </a>
      <IconButton
        icon="x"
        label="Remove from this list"
        tipAlign="end"
        onClick={() => {
          forgetDocument(documentId)
          toast('Removed from the list. The document itself is still there.', {
            label: 'Undo',
            run: () => restoreDocument(entry),
          })
        }}
      />
    </li>
  )
}

/** A name, or a whole link to a document. */
function OpenByName() {
  const [problem, setProblem] = useState<string | null>(null)
  const input = useRef<HTMLInputElement>(null)
  return (
    <form
      class="open-by-name"
      onSubmit={event => {
        event.preventDefault()
        const documentId = documentIdFrom(input.current?.value ?? '')
        if (documentId === '') return
        const found = documentIdProblem(documentId)
        if (found === null) navigate(documentPath(documentId))
        else setProblem(found)
      }}
    >
      <input
        ref={input}
        type="text"
        aria-label="Name of a document, or a link to it"
        aria-invalid={problem !== null}
        placeholder="Open by name or link"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        data-testid="open-name"
        onInput={() => setProblem(null)}
      />
      <button type="submit" class="button">
        Open
      </button>
      {problem !== null && (
        <p class="field-problem" role="alert">
          {problem}
        </p>
      )}
    </form>
  )
}
