import { effect, untracked, useSignal } from '@preact/signals'
import type { Editor } from '@tiptap/core'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { base } from '../base.ts'
import { isGuest, renameGuest } from '../device/guest.ts'
import { recentDocuments, rememberDocument, rememberTitle } from '../device/recentDocuments.ts'
import { signedUserIn } from '../device/signedUser.ts'
import { currentUser } from '../device/token.ts'
import { DocumentMenu } from '../document/DocumentMenu.tsx'
import { DocumentSession, type Phase } from '../document/DocumentSession.ts'
import { ElsewhereNote, FullNote, LargeNote, ReaderNote, ReadingNote, RefusedNote } from '../document/Notices.tsx'
import { OutlinePanel } from '../document/OutlinePanel.tsx'
import { SaveLine } from '../document/SaveLine.tsx'
import { ShortcutsDialog } from '../document/ShortcutsDialog.tsx'
import { TitleField } from '../document/TitleField.tsx'
import { scrollToCaret } from '../editor/carets.ts'
import { DocumentEditor } from '../editor/DocumentEditor.ts'
import { imageField, linkField } from '../editor/fields.ts'
import { SlashMenu } from '../editor/SlashMenu.tsx'
import { TextMenus } from '../editor/TextMenus.tsx'
import { titleOf } from '../editor/title.ts'
import { startTrustedTypes } from '../paste/cleanHTML.ts'
import { type Collaborator, collaborators } from '../people/collaborators.ts'
import { myUserIn } from '../people/myUser.ts'
import { PeopleButton } from '../people/PeopleButton.tsx'
import { isFirstPage } from '../route.ts'
import { listLinks, type ShareLink } from '../share/links.ts'
import { ShareDialog } from '../share/ShareDialog.tsx'
import { copyText } from '../ui/copyText.ts'
import { Icon } from '../ui/Icon.tsx'
import { toast } from '../ui/toast.tsx'
import { UploadList } from '../uploads/UploadList.tsx'
import '../styles/editor.css'
import '../styles/menus.css'
import '../styles/panels.css'

// Before an editor parses anything.
startTrustedTypes()

/** One document: opens it when shown, leaves it when gone. */
export default function DocumentPage({ documentId }: { documentId: string }) {
  const [session, setSession] = useState<DocumentSession | null>(null)
  useEffect(() => {
    const opened = new DocumentSession(
      documentId,
      untracked(() => myUserIn(documentId)),
    )
    setSession(opened)
    const stop = effect(() => opened.setUser(myUserIn(documentId)))
    return () => {
      stop()
      imageField.value = false
      linkField.value = false
      void opened.close()
    }
  }, [documentId])
  return session === null || session.documentId !== documentId ? null : (
    <OpenDocument key={documentId} session={session} />
  )
}

function OpenDocument({ session }: { session: DocumentSession }) {
  const { documentId } = session
  const phase = session.phase.value
  const host = useRef<HTMLDivElement>(null)
  const [documentEditor, setDocumentEditor] = useState<DocumentEditor | null>(null)
  const [panel, setPanel] = useState<'outline' | null>(null)
  const [links, setLinks] = useState<readonly ShareLink[] | null>(null)
  const [isHelpOpen, setHelpOpen] = useState(false)
  const refusal = session.refusal.value
  const isReadOnly = session.isReadOnly.value
  const canWrite = refusal === null && !isReadOnly

  // Not before there is content: a document that is refused, or that nobody has heard of, is not one of theirs.
  useEffect(() => {
    if (phase.phase === 'open') rememberDocument(documentId, Date.now())
  }, [documentId, phase])

  useEffect(() => {
    if (phase.phase !== 'open' || host.current === null) return
    const created = new DocumentEditor(phase.ydoc, phase.awareness, session.uploads, host.current)
    setDocumentEditor(created)
    return () => {
      setDocumentEditor(null)
      created.destroy()
    }
  }, [phase])

  useEffect(() => documentEditor?.setEditable(canWrite), [documentEditor, canWrite])

  const { change } = session.access.value
  useEffect(() => {
    if (change === 'widened') toast('You can write in this document now.')
  }, [change])

  // Reading `tick` draws this anew whenever the text has changed.
  documentEditor?.tick.value
  const mode = documentEditor?.mode.value ?? null
  const editor = mode === null || mode.editor.isDestroyed ? null : mode.editor
  const isOnlyShown = mode?.mode === 'reading'
  useEffect(() => session.setOnlyShown(isOnlyShown), [session, isOnlyShown])
  const doc = editor?.state.doc
  // While the document opens: what it was called when this device last saw it.
  const [remembered] = useState(
    () => recentDocuments.peek().find(entry => entry.documentId === documentId)?.title ?? '',
  )
  const title = useMemo(() => (doc === undefined ? remembered : titleOf(doc)), [doc, remembered])
  const shownTitle = title === '' ? documentId : title

  useEffect(() => {
    document.title = `${shownTitle} – weft`
    if (doc !== undefined) rememberTitle(documentId, title)
  }, [documentId, title, shownTitle, doc === undefined])

  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey)) return
      if (event.key === '/') setHelpOpen(true)
      else if (event.altKey && event.code === 'KeyO') setPanel(open => (open === 'outline' ? null : 'outline'))
      else return
      event.preventDefault()
    }
    window.addEventListener('keydown', pressed)
    return () => window.removeEventListener('keydown', pressed)
  }, [])

  const share = async () => {
    // Where nobody is asked who they are, the address is all that others need.
    const isAsked = isGuest(documentId) || currentUser() !== null
    const found = isAsked ? await listLinks(documentId).catch(() => 'not-owner' as const) : 'not-owner'
    if (found !== 'not-owner') {
      setLinks(found)
      return
    }
    const isCopied = await copyText(location.href)
    const said = isCopied ? 'Link copied' : 'This browser doesn’t allow copying. The link is in the address bar.'
    // The token isn't in the address bar, and is not this person's to give.
    toast(!isAsked ? said : `${said.replace(/\.$/, '')}. It gives no access by itself: each person needs their own.`)
  }

  const hasFailed = phase.phase === 'refused' || phase.phase === 'failed'
  return (
    <div class="document-page">
      <TopLine>
        <a
          class="icon-button"
          href={base}
          data-route
          aria-label="Documents"
          data-tip="Documents"
          data-tip-align="start"
        >
          <Icon name="arrow-left" />
        </a>
        {hasFailed ? (
          <span class="title-field">{documentId}</span>
        ) : (
          <TitleField
            title={title}
            documentId={documentId}
            editor={mode?.mode === 'editing' && canWrite ? editor : null}
          />
        )}
        {!hasFailed && (
          <SaveLine save={session.save} isKept={session.isKept} isExplained={refusal !== null || isReadOnly} />
        )}
        <span class="spring" />
        {phase.phase === 'open' && <People session={session} phase={phase} host={host} />}
        {!hasFailed && (
          <button type="button" class="button share" data-testid="share" onClick={() => void share()}>
            Share
          </button>
        )}
        <DocumentMenu
          editor={editor}
          title={title}
          onShare={() => void share()}
          onOutline={() => setPanel('outline')}
          onShortcuts={() => setHelpOpen(true)}
        />
      </TopLine>
      <main class="sheet">
        {phase.phase === 'open' && refusal !== null && (
          <RefusedNote
            refusal={refusal}
            isUnsaved={session.save.value.state === 'failed'}
            isKept={session.isKept}
            onRetry={() => session.retry()}
          />
        )}
        {phase.phase === 'open' && refusal === null && isReadOnly && (
          <ReaderNote hasRefused={session.save.value.state === 'failed'} access={session.access.value} />
        )}
        {phase.phase === 'open' && refusal === null && !isReadOnly && session.fullAtBytes.value !== null && (
          <FullNote limitBytes={session.fullAtBytes.value} hasRefused={session.save.value.state === 'failed'} />
        )}
        {phase.phase === 'open' && canWrite && session.fullAtBytes.value === null && session.large.value !== null && (
          <LargeNote size={session.large.value} />
        )}
        {mode?.mode === 'reading' && <ReadingNote names={mode.unknown.map(({ name }) => name)} />}
        {phase.phase === 'open' && documentEditor !== null && (
          <ElsewhereNote ydoc={phase.ydoc} documentEditor={documentEditor} />
        )}
        {phase.phase === 'opening' && <Waiting isSlow={phase.isSlow} />}
        {phase.phase === 'refused' && (
          <Problem title={phase.refusal.title} advice={phase.refusal.advice} onRetry={() => session.retry()} />
        )}
        {phase.phase === 'failed' && (
          <Problem
            title="The document could not be opened"
            advice={`What went wrong: ${phase.message}. What is stored of it has not changed.`}
            onRetry={() => session.retry()}
          />
        )}
        {/* biome-ignore lint/a11y/noStaticElementInteractions: the text inside is the control; this is the room below it */}
        <div
          class="text-host"
          ref={host}
          hidden={phase.phase !== 'open'}
          // Below the last line, a click goes on writing there.
          onMouseDown={event => {
            if (event.target === event.currentTarget && editor?.isEditable) {
              event.preventDefault()
              writeAtEnd(editor)
            }
          }}
        />
      </main>
      {mode?.mode === 'editing' && editor !== null && documentEditor !== null && (
        <>
          <TextMenus
            editor={editor}
            tick={documentEditor.tick}
            onImages={files => documentEditor.putImages(files, editor, editor.state.selection.to)}
          />
          <SlashMenu editor={editor} />
        </>
      )}
      {panel === 'outline' && editor !== null && <OutlinePanel editor={editor} onClose={() => setPanel(null)} />}
      <UploadList uploads={session.uploads} />
      {links !== null && <ShareDialog documentId={documentId} links={links} onClose={() => setLinks(null)} />}
      {isHelpOpen && <ShortcutsDialog onClose={() => setHelpOpen(false)} />}
    </div>
  )
}

function TopLine({ children }: { children: preact.ComponentChildren }) {
  const isScrolled = useSignal(false)
  useEffect(() => {
    const scrolled = () => {
      isScrolled.value = window.scrollY > 4
    }
    scrolled()
    window.addEventListener('scroll', scrolled, { passive: true })
    return () => window.removeEventListener('scroll', scrolled)
  }, [isScrolled])
  return <header class={`top-line ${isScrolled.value ? 'is-scrolled' : ''}`}>{children}</header>
}

interface PeopleProps {
  session: DocumentSession
  phase: Extract<Phase, { phase: 'open' }>
  host: { current: HTMLElement | null }
}

function People({ session, phase: { awareness }, host }: PeopleProps) {
  const { documentId } = session
  const [people, setPeople] = useState<Collaborator[]>([])
  // The token first: the server says to the others who somebody is.
  const rename = async (name: string) => {
    await renameGuest(documentId, name)
    await session.renewToken()
  }
  useEffect(() => {
    const changed = () => {
      const next = collaborators(awareness.getStates(), awareness.clientID)
      // Every move of a caret comes by here.
      setPeople(before => (JSON.stringify(before) === JSON.stringify(next) ? before : next))
    }
    changed()
    awareness.on('change', changed)
    return () => awareness.off('change', changed)
  }, [awareness])
  return (
    <PeopleButton
      people={people}
      signedName={signedUserIn(documentId)?.name ?? null}
      onRename={isGuest(documentId) ? rename : null}
      onGoTo={person => {
        const found = host.current !== null && scrollToCaret(host.current, person.clientID)
        if (!found) toast(`${person.name} is not in the text right now`)
      }}
    />
  )
}

/** Shown for a content that takes long: nothing for 400 ms (CSS), then lines, then a sentence. */
function Waiting({ isSlow }: { isSlow: boolean }) {
  return (
    <div class="waiting" aria-busy="true">
      <div class="lines" aria-hidden="true">
        <span />
        <span />
        <span />
        <span />
      </div>
      {isSlow && (
        <p class="note" role="status">
          The server doesn’t answer, and this document isn’t on this device yet. It opens here as soon as the server
          does.
        </p>
      )}
    </div>
  )
}

function Problem({ title, advice, onRetry }: { title: string; advice: string; onRetry(): void }) {
  // Who came by a link may have no documents to go back to.
  const isLinked = isFirstPage()
  const back = (
    <a key="back" class={isLinked ? 'button' : 'button primary'} href={base} data-route>
      Back to documents
    </a>
  )
  const retry = (
    <button key="retry" type="button" class={isLinked ? 'button primary' : 'button'} onClick={onRetry}>
      Try again
    </button>
  )
  return (
    <section class="problem" role="alert" data-testid="refused">
      <h1>{title}</h1>
      <p>{advice}</p>
      <div class="actions">{isLinked ? [retry, back] : [back, retry]}</div>
    </section>
  )
}

/** Puts the caret into an empty paragraph at the end; makes one if there is none. */
function writeAtEnd(editor: Editor): void {
  const { lastChild, content } = editor.state.doc
  const isEmptyEnd = lastChild?.type.name === 'paragraph' && lastChild.content.size === 0
  if (isEmptyEnd || lastChild?.type.name === 'paragraph') editor.commands.focus('end')
  else editor.chain().insertContentAt(content.size, { type: 'paragraph' }).focus('end').run()
}
