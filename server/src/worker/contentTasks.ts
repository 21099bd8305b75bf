import {
  EditError,
  FRAGMENT_NAME,
  findUnknown,
  fromJSON,
  fromMarkdown,
  readNode,
  replaceDocument,
  toHTML,
  toMarkdown,
} from '@weft/schema'
import { fromHTML } from '@weft/schema/fromHTML'
import * as Y from 'yjs'
import { ContentError, type ContentForm } from '../ContentError.ts'
import { documentFromLog, type LogTask, settle, withBytes } from './tasks.ts'

// Tasks of the worker threads that know what a document holds. The docstrings are `Workshop`'s.

export interface RenderTask extends LogTask {
  readonly form: ContentForm
}

export interface ReplaceTask extends LogTask {
  readonly form: Exclude<ContentForm, 'yjs'>
  readonly content: Uint8Array
  readonly clientID: number
}

export interface Rendering {
  /** UTF-8, or the update. */
  readonly bytes: Uint8Array
  /** How many things of the document this version doesn't know: they are missing in `bytes`, but for an update. */
  readonly leftOut: number
}

export interface Replacement {
  readonly update: Uint8Array | null
}

type ReplaceForm = ReplaceTask['form']

const encoder = new TextEncoder()

export function render(task: RenderTask): unknown {
  return withBytes(
    settle<Rendering>(() => {
      const ydoc = documentFromLog(task)
      if (task.form === 'yjs') return { bytes: Y.encodeStateAsUpdate(ydoc), leftOut: 0 }
      const others = [...ydoc.share].filter(([name, type]) => name !== FRAGMENT_NAME && holdsSomething(type))
      const fragment = ydoc.getXmlFragment(FRAGMENT_NAME)
      if (fragment.length === 0 && others.length > 0) {
        const names = others.map(([name]) => JSON.stringify(name)).slice(0, 5)
        throw new ContentError('not-text', `the document has no text; what it holds is called ${names.join(', ')}`)
      }
      return { bytes: encoder.encode(write(task.form, fragment)), leftOut: findUnknown(fragment).length }
    }),
    ({ bytes }) => [bytes],
  )
}

export function replace(task: ReplaceTask): unknown {
  return withBytes(
    settle<Replacement>(() => {
      const wanted = parse(task.form, task.content)
      const ydoc = documentFromLog(task)
      // From here on: Yjs takes another id where updates of its own come from elsewhere.
      ydoc.clientID = task.clientID
      const updates: Uint8Array[] = []
      ydoc.on('update', update => updates.push(update))
      try {
        replaceDocument(ydoc.getXmlFragment(FRAGMENT_NAME), wanted)
      } catch (error) {
        if (error instanceof EditError) throw new ContentError('unknown-content', error.message)
        throw error
      }
      return { update: updates.length === 0 ? null : Y.mergeUpdates(updates) }
    }),
    ({ update }) => (update === null ? [] : [update]),
  )
}

function write(form: ReplaceForm, fragment: Y.XmlFragment): string {
  const node = readNode(fragment)
  switch (form) {
    case 'markdown':
      return toMarkdown(node)
    case 'html':
      return toHTML(node)
    case 'json':
      return JSON.stringify(node)
  }
}

/** @throws {ContentError} `bad-content` */
function parse(form: ReplaceForm, content: Uint8Array) {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(content)
    if (form === 'markdown') return fromMarkdown(text)
    if (form === 'html') return fromHTML(text)
    const node = fromJSON(JSON.parse(text))
    if (node.type.name !== 'doc') throw new RangeError(`expected a whole document (doc), got ${node.type.name}`)
    return node
  } catch (error) {
    throw new ContentError('bad-content', error instanceof Error ? error.message : String(error))
  }
}

// Roots that nobody has asked for by their type yet: only what all types have can be looked at.
function holdsSomething(type: { readonly _length: number; readonly _map: ReadonlyMap<string, Y.Item> }): boolean {
  return type._length > 0 || [...type._map.values()].some(item => !item.deleted)
}
