import { useCallback, useRef, useState } from 'preact/hooks'
import { me, namelessName } from '../device/me.ts'
import { Popover } from '../ui/Popover.tsx'
import { Avatar } from './Avatar.tsx'
import type { Collaborator } from './collaborators.ts'
import { NameField } from './NameField.tsx'

/** Avatars that stand beside each other; more are a number. */
const maxAvatars = 4

/** Who is here. Opens a list of them, in which a person gives their own name and goes to the others' carets. */
export function PeopleButton({
  people,
  signedName,
  onRename,
  onGoTo,
}: {
  people: readonly Collaborator[]
  /** What a token says that this person is called; `null`: the name is theirs to give. */
  signedName: string | null
  /** Has a guest's token say another name; `null`: what a token says stays. @throws {Error} in words */
  onRename: ((name: string) => Promise<void>) | null
  onGoTo(person: Collaborator): void
}) {
  const button = useRef<HTMLButtonElement>(null)
  const [isOpen, setOpen] = useState(false)
  const close = useCallback(() => setOpen(false), [])
  const others = people.filter(person => !person.isMe)
  const shown = people.length > maxAvatars ? people.slice(0, maxAvatars - 1) : people
  const isMine = signedName === null || onRename !== null
  const isNameless = isMine && (signedName === null ? me.value.name === '' : signedName === namelessName)
  const label = others.length === 0 ? 'Only you are here' : `${people.length} people are here`
  return (
    <>
      <button
        type="button"
        ref={button}
        class="people-button"
        aria-label={label}
        aria-expanded={isOpen}
        data-testid="people"
        data-tip={isNameless ? 'Add your name' : label}
        onClick={() => setOpen(!isOpen)}
      >
        {shown.map(({ key, name, color }) => (
          <Avatar key={key} name={name} color={color} />
        ))}
        {people.length > shown.length && <span class="avatar more">+{people.length - shown.length}</span>}
        {isNameless && others.length > 0 && <span class="name-hint">Add your name</span>}
      </button>
      {isOpen && (
        <Popover anchor={button} label="People" class="people" onClose={close}>
          {isMine ? (
            <NameField
              isFocused
              onDone={close}
              {...(onRename !== null && { onRename, initial: isNameless ? '' : (signedName ?? '') })}
            />
          ) : (
            <p class="note">Others see you as {signedName}: the name comes with your access.</p>
          )}
          {others.length > 0 && <hr />}
          <ul>
            {others.map(person => (
              <li key={person.key}>
                <button
                  type="button"
                  class="menu-item"
                  onClick={() => {
                    close()
                    onGoTo(person)
                  }}
                >
                  <Avatar name={person.name} color={person.color} />
                  <span dir="auto">{person.name}</span>
                </button>
              </li>
            ))}
          </ul>
          {others.length === 0 && <p class="note">Nobody else is here. Share the link to write together.</p>}
        </Popover>
      )}
    </>
  )
}
