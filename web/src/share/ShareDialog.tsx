import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { userIn } from '../device/guest.ts'
import { agoText } from '../pages/agoText.ts'
import { copyText } from '../ui/copyText.ts'
import { Dialog } from '../ui/Dialog.tsx'
import { Icon } from '../ui/Icon.tsx'
import { toast } from '../ui/toast.tsx'
import {
  hereText,
  type LinkRole,
  linkText,
  madeText,
  makeLink,
  peopleByLink,
  revokeLink,
  type ShareLink,
} from './links.ts'

const roleNames: Record<LinkRole, string> = {
  viewer: 'Can read',
  commenter: 'Can comment',
  editor: 'Can write',
  owner: 'Can write and share',
}

/** What the editor offers; links of other roles are made by programs. */
const offeredRoles: readonly LinkRole[] = ['editor', 'viewer']
const offeredDays = [1, 7, 30, 365] as const
const offeredUses = [null, 1, 10] as const

interface Props {
  documentId: string
  /** Those that were there when the dialog was asked for. */
  links: readonly ShareLink[]
  onClose(): void
}

/** Where an owner makes links that let others in, sees what became of them, and takes them back. */
export function ShareDialog({ documentId, links: first, onClose }: Props) {
  const [links, setLinks] = useState(first)
  const [problem, setProblem] = useState('')
  const [made, setMade] = useState<{ id: string; address: string } | null>(null)
  const [people, setPeople] = useState<ReadonlyMap<string, readonly string[]>>(new Map())
  const list = useRef<HTMLHeadingElement>(null)

  useEffect(() => {
    let isHere = true
    void peopleByLink(documentId).then(found => isHere && setPeople(found))
    return () => {
      isHere = false
    }
  }, [documentId])

  const attempt = async (run: () => Promise<void>) => {
    setProblem('')
    try {
      await run()
    } catch (error) {
      const isInWords = error instanceof Error && error.name === 'Error'
      setProblem(isInWords ? error.message : 'The server can’t be reached. Check the connection, then try again.')
    }
  }
  const make = (wanted: Parameters<typeof makeLink>[1]) =>
    attempt(async () => {
      const { link, address } = await makeLink(documentId, wanted)
      setMade({ id: link.id, address })
      setLinks(before => [link, ...before])
    })
  const revoke = (id: string) =>
    attempt(async () => {
      await revokeLink(documentId, id)
      setLinks(before => before.filter(link => link.id !== id))
      setMade(before => (before?.id === id ? null : before))
      // The button that had the focus is gone with its row.
      list.current?.focus()
    })

  return (
    <Dialog title="Share this document" onClose={onClose}>
      <NewLink onMake={make} />
      {made !== null && <MadeLink key={made.id} address={made.address} />}
      {problem !== '' && (
        <p class="field-problem" role="alert">
          {problem}
        </p>
      )}
      <h3 ref={list} tabIndex={-1}>
        Links
      </h3>
      {links.length === 0 ? (
        <p class="note">Nobody has a link yet. People with access of their own only need the document’s address.</p>
      ) : (
        <ul class="share-links" data-testid="share-links">
          {links.map(link => (
            <LinkRow
              key={link.id}
              link={link}
              me={userIn(documentId)}
              isNew={link.id === made?.id}
              here={hereText(people.get(link.id) ?? [])}
              onRevoke={() => revoke(link.id)}
            />
          ))}
        </ul>
      )}
    </Dialog>
  )
}

function NewLink({ onMake }: { onMake(wanted: Parameters<typeof makeLink>[1]): Promise<void> }) {
  const [role, setRole] = useState<LinkRole>('editor')
  const [days, setDays] = useState(7)
  const [maxUses, setMaxUses] = useState<number | null>(null)
  const [isMaking, setMaking] = useState(false)
  return (
    <form
      class="new-link"
      onSubmit={event => {
        event.preventDefault()
        setMaking(true)
        void onMake({ role, days, maxUses }).finally(() => setMaking(false))
      }}
    >
      <label>
        Whoever has the link
        <select value={role} onChange={event => setRole(event.currentTarget.value as LinkRole)}>
          {offeredRoles.map(offered => (
            <option key={offered} value={offered}>
              {roleNames[offered].toLowerCase()}
            </option>
          ))}
        </select>
      </label>
      <label>
        For
        <select value={days} onChange={event => setDays(Number(event.currentTarget.value))}>
          {offeredDays.map(offered => (
            <option key={offered} value={offered}>
              {daysText(offered)}
            </option>
          ))}
        </select>
      </label>
      <label>
        It lets in
        <select
          value={maxUses ?? ''}
          onChange={event => setMaxUses(event.currentTarget.value === '' ? null : Number(event.currentTarget.value))}
        >
          {offeredUses.map(offered => (
            <option key={offered} value={offered ?? ''}>
              {usesText(offered)}
            </option>
          ))}
        </select>
      </label>
      <button type="submit" class="button primary" disabled={isMaking} data-testid="make-link">
        <Icon name="link" /> Make link
      </button>
    </form>
  )
}

/** A link that was just made. It is told this once: nobody can read it again. */
function MadeLink({ address }: { address: string }) {
  const input = useRef<HTMLInputElement>(null)
  const copy = async () => {
    const isCopied = await copyText(address)
    if (!isCopied) input.current?.select()
    toast(isCopied ? 'Link copied' : 'This browser doesn’t allow copying. The link is selected.')
  }
  useEffect(() => input.current?.select(), [])
  return (
    <div class="made-link">
      <input ref={input} type="text" readOnly value={address} aria-label="New link" data-testid="made-link" />
      <button type="button" class="button" onClick={() => void copy()}>
        <Icon name="copy" /> Copy
      </button>
      <p class="note">Copy it now: it is shown this once.</p>
    </div>
  )
}

interface LinkRowProps {
  link: ShareLink
  /** Whose token this tab has. */
  me: string | null
  /** Whether it is the one whose address stands above. */
  isNew: boolean
  /** Who came by it and is here, in words; empty: nobody. */
  here: string
  onRevoke(): Promise<void>
}

function LinkRow({ link, me, isNew, here, onRevoke }: LinkRowProps) {
  const [isAsking, setAsking] = useState<boolean | null>(null)
  const revoke = useRef<HTMLButtonElement>(null)
  const keep = useRef<HTMLButtonElement>(null)
  // The focus goes on to what takes the place of the button that had it; not to what can't be undone.
  useLayoutEffect(() => {
    if (isAsking === true) keep.current?.focus()
    else if (isAsking === false) revoke.current?.focus()
  }, [isAsking])
  const id = `link-${link.id}`
  const now = Date.now()
  return (
    <li>
      <div class="share-link" id={id}>
        <span>
          {roleNames[link.role]}
          {isNew && <span class="badge">new</span>}
        </span>
        <span class="note">{madeText(link, me, now)}</span>
        <span class="note">{linkText(link, at => agoText(at, now), now)}</span>
        {here !== '' && (
          <span class="note here" dir="auto">
            {here}
          </span>
        )}
      </div>
      {isAsking === true ? (
        <>
          <button type="button" class="button danger" aria-describedby={id} onClick={() => void onRevoke()}>
            Revoke now
          </button>
          <button type="button" ref={keep} class="button" aria-describedby={id} onClick={() => setAsking(false)}>
            Keep
          </button>
        </>
      ) : (
        <button type="button" ref={revoke} class="button" aria-describedby={id} onClick={() => setAsking(true)}>
          Revoke
        </button>
      )}
      {isAsking === true && <p class="note">Who came by it loses access at once. What they wrote stays.</p>}
    </li>
  )
}

function daysText(days: number): string {
  if (days === 1) return '1 day'
  return days === 365 ? '1 year' : `${days} days`
}

function usesText(uses: number | null): string {
  if (uses === null) return 'any number of people'
  return uses === 1 ? 'one person' : `${uses} people`
}
