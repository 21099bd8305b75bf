// What the tests do in a program of its own: a Node process (`programProcess.mjs`) or a page of Chromium (`TabProgram.ts`).
// Every function takes and returns JSON; updates are in base64. `ProgramCalls` in `Program.ts` has the types.
import { connect, StoreError } from '@weft/client'
import { fromBase64, toBase64 } from 'lib0/buffer'

/**
 * A store and a document, to be worked with from outside.
 * @param {(name: string) => import('@weft/client').LocalStore} makeStore
 */
export function createProgram(makeStore) {
  /** @type {import('@weft/client').LocalStore} */
  let store
  /** @type {import('@weft/client').WeftDocument} */
  let document
  const text = () => document.ydoc.getText('t')
  let lost = ''

  return {
    async open(name) {
      store = makeStore(name)
      const { updates, damage } = await store.open(error => {
        lost = error.message
      })
      return { updates: updates.map(toBase64), damage }
    },
    append: updates => store.append(updates.map(fromBase64)),
    replace: update => store.replace(fromBase64(update)),
    close: () => store.close(),
    lost: () => lost,

    /** Opens a document with its store; resolves with what the store has brought. */
    async connect(url, name) {
      document = await connect(url, { store: makeStore(name) })
      return { text: text().toString(), storeError: document.storeError?.message ?? null }
    },
    /** Writes a token behind another one, or at the beginning where that isn't there. */
    insert(token, behind) {
      const at = text().toString().indexOf(behind)
      text().insert(at < 0 ? 0 : at + behind.length, token)
    },
    remove(token) {
      const at = text().toString().indexOf(token)
      if (at >= 0) text().delete(at, token.length)
    },
    saved: level => document.saved(level),
    text: () => text().toString(),
    state: () => ({
      unsaved: document.unsaved,
      unsavedLocally: document.unsavedLocally,
      storeError: document.storeError?.code ?? null,
    }),
    closeDocument: () => document.close({ saved: false }),
  }
}

/** An answer that can be sent: `{ value }`, or `{ error }` with what tells it apart. */
export async function answer(program, name, args) {
  try {
    return { value: (await program[name](...args)) ?? null }
  } catch (error) {
    const code = error instanceof StoreError ? error.code : null
    return { error: { message: String(error?.message ?? error), code } }
  }
}
