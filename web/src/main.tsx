import { signal } from '@preact/signals'
import { type ComponentType, render } from 'preact'
import { useEffect } from 'preact/hooks'
import { base } from './base.ts'
import { startMe } from './device/me.ts'
import { startRecentDocuments } from './device/recentDocuments.ts'
import { startToken } from './device/token.ts'
import HomePage from './pages/HomePage.tsx'
import LinkPage from './pages/LinkPage.tsx'
import { route, startRoute } from './route.ts'
import { startTheme } from './theme.ts'
import { Toasts } from './ui/toast.tsx'
import './styles/fonts.css'
import './styles/tokens.css'
import './styles/base.css'
import './styles/controls.css'
import './styles/home.css'

/** The page of a document, with the editor: loaded when there is one to show. */
const documentPage = signal<ComponentType<{ documentId: string }> | 'failed' | null>(null)
let isLoading = false

function loadDocumentPage(): void {
  if (isLoading || documentPage.value instanceof Function) return
  isLoading = true
  import('./pages/DocumentPage.tsx').then(
    module => {
      documentPage.value = module.default
    },
    () => {
      isLoading = false
      documentPage.value = 'failed'
    },
  )
}

function App() {
  const { value } = route
  useEffect(() => {
    window.scrollTo(0, 0)
    if (value.page === 'home') {
      document.title = 'weft'
      // While nothing else is to be done: a document then opens at once.
      const idle = window.requestIdleCallback ?? ((run: () => void) => setTimeout(run, 300))
      idle(() => loadDocumentPage())
    }
  }, [value])
  return (
    <>
      {value.page === 'home' && <HomePage />}
      {value.page === 'link' && <LinkPage />}
      {value.page === 'document' && <DocumentRoute documentId={value.documentId} />}
      {value.page === 'unknown' && (
        <Dead title="There is no such page" advice="Check the link, or go to the documents that you have opened." />
      )}
      <Toasts />
    </>
  )
}

function DocumentRoute({ documentId }: { documentId: string }) {
  loadDocumentPage()
  const Page = documentPage.value
  if (Page === null) return null
  if (Page === 'failed') {
    return (
      <Dead
        title="The editor could not be loaded"
        advice="Check the connection and reload the page. What you wrote is kept on this device."
      />
    )
  }
  return <Page documentId={documentId} />
}

function Dead({ title, advice }: { title: string; advice: string }) {
  return (
    <main class="sheet">
      <section class="problem" role="alert">
        <h1>{title}</h1>
        <p>{advice}</p>
        <div class="actions">
          <a class="button primary" href={base} data-route>
            Documents
          </a>
        </div>
      </section>
    </main>
  )
}

startTheme()
startMe()
startRecentDocuments()
const root = document.getElementById('app')
// Whose documents this device shows depends on who this is.
void startToken().then(() => {
  startRoute()
  if (root !== null) render(<App />, root)
})
