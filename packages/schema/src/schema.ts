import { getSchema } from '@tiptap/core'
import type { Schema } from '@tiptap/pm/model'
import { extensions } from './extensions.ts'

/** The ProseMirror schema of a Weft document; made from `extensions`, so that editors and programs agree. */
export const schema: Schema = /* @__PURE__ */ getSchema(extensions)

/** Name of the `Y.XmlFragment` in a document's `Y.Doc`: the default of TipTap's Collaboration. */
export const FRAGMENT_NAME = 'default'
