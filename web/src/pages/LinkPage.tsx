import { useEffect, useState } from 'preact/hooks'
import { base } from '../base.ts'
import { enterByLink, type LinkFailure } from '../device/guest.ts'
import { maxNameLength, me, setMyName } from '../device/me.ts'
import { documentPath, replaceRoute } from '../route.ts'
import { Mark } from '../ui/Mark.tsx'
import { linkFailureText } from './linkFailureText.ts'

/** The secret of a share link, out of the address bar and of what the browser remembers of it. */
function takeSecret(): string {
  const secret = location.hash.slice(1).replace(/[^\w-]/gu, '')
  if (secret !== '') history.replaceState(history.state, '', `${location.pathname}${location.search}`)
  return secret
}

type Step = { is: 'asking' } | { is: 'entering' } | { is: 'failed'; failure: LinkFailure }

/** Where a share link leads: asks for a name where there is none, then opens the document. A use of the link is that, not the visit. */
export default function LinkPage() {
  const [secret] = useState(takeSecret)
  const [step, setStep] = useState<Step>(() => {
    if (secret === '') return { is: 'failed', failure: { why: 'unknown' } }
    return me.peek().name === '' ? { is: 'asking' } : { is: 'entering' }
  })

  useEffect(() => {
    document.title = 'Shared document – weft'
    // Another link in the same tab: the browser takes it for a place in this page.
    const changed = () => location.reload()
    window.addEventListener('hashchange', changed)
    return () => window.removeEventListener('hashchange', changed)
  }, [])

  useEffect(() => {
    if (step.is !== 'entering') return
    let isHere = true
    void enterByLink(secret, me.peek().name).then(entered => {
      if (!isHere) return
      if ('documentId' in entered) replaceRoute(documentPath(entered.documentId))
      else setStep({ is: 'failed', failure: entered })
    })
    return () => {
      isHere = false
    }
  }, [step, secret])

  if (step.is === 'failed') return <Failure failure={step.failure} onRetry={() => setStep({ is: 'entering' })} />
  if (step.is === 'entering') {
    return (
      <main class="sheet">
        <p class="note link-opening" role="status">
          Opening the document…
        </p>
      </main>
    )
  }
  return <AskName onDone={() => setStep({ is: 'entering' })} />
}

function AskName({ onDone }: { onDone(): void }) {
  const [name, setName] = useState('')
  return (
    <main class="sheet">
      <form
        class="link-name"
        onSubmit={event => {
          event.preventDefault()
          setMyName(name)
          onDone()
        }}
      >
        <Mark size={56} />
        <h1>You are invited to a document</h1>
        <label for="guest-name">Your name, as others see it</label>
        <div class="link-name-row">
          <input
            id="guest-name"
            type="text"
            dir="auto"
            autocomplete="name"
            placeholder="Name"
            maxLength={maxNameLength}
            autofocus
            value={name}
            data-testid="guest-name"
            onInput={event => setName(event.currentTarget.value)}
          />
          <button type="submit" class="button primary">
            Open document
          </button>
        </div>
        <p class="note">Without a name, others see you as Guest.</p>
      </form>
    </main>
  )
}

function Failure({ failure, onRetry }: { failure: LinkFailure; onRetry(): void }) {
  const { title, advice, canRetry } = linkFailureText(failure)
  return (
    <main class="sheet">
      <section class="problem" role="alert" data-testid="link-failure">
        <h1>{title}</h1>
        <p>{advice}</p>
        <div class="actions">
          {canRetry && (
            <button type="button" class="button primary" onClick={onRetry}>
              Try again
            </button>
          )}
          <a class={canRetry ? 'button' : 'button primary'} href={base} data-route>
            Documents
          </a>
        </div>
      </section>
    </main>
  )
}
