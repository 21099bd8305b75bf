import type { Node } from '@tiptap/core'
import { isShownImage, isUpload } from '@weft/schema'
import { base } from '../base.ts'
import { heldToken } from '../device/guest.ts'

/**
 * Images as a page shows them: encrypted ones and those of this server, wherever a proxy puts that (`isShownImage`). Of others, and
 * of those that can't be had, it says what they are. The document keeps every address as it is.
 */
export const shownImages = (image: Node): Node =>
  image.extend({
    addNodeView:
      () =>
      ({ node }) => {
        const { src, alt, title } = node.attrs as { src: unknown; alt: string | null; title: string | null }
        const dom = document.createElement('img')
        const name = alt === null || alt === '' ? 'Image' : alt
        if (title !== null) dom.title = title
        if (isShownImage(src)) {
          dom.alt = alt ?? ''
          dom.decoding = 'async'
          let isLast = false
          dom.onerror = () => {
            // The cookie may be of another visit; the page has a token of its own.
            if (!isLast && isUpload(src)) {
              isLast = true
              void showByToken(dom, src)
              return
            }
            dom.alt = `${name} (can’t be loaded)`
            // Once: when there is a network again, or the right to it.
            window.addEventListener('online', () => dom.isConnected && dom.setAttribute('src', dom.src), { once: true })
          }
          dom.src = isUpload(src) ? `${base}${src.slice(1)}` : src
        } else {
          const isPlain = typeof src === 'string' && /^\s*http:/iu.test(src)
          dom.alt = `${name} (not shown: ${isPlain ? 'its address is not encrypted, http://' : 'only images of this document or from https:// are'})`
        }
        return { dom }
      },
  })

/** Shows an upload that the browser's own request for it was refused. */
async function showByToken(dom: HTMLImageElement, src: string): Promise<void> {
  const [, name = ''] = /^\/api\/v1\/documents\/(.+)\/uploads\//u.exec(src) ?? []
  const token = heldToken(decodeURIComponent(name))
  const answer =
    token === '' ? null : await fetch(dom.src, { headers: { Authorization: `Bearer ${token}` } }).catch(() => null)
  if (answer?.ok !== true) {
    dom.dispatchEvent(new Event('error'))
    return
  }
  const url = URL.createObjectURL(await answer.blob())
  dom.onload = () => URL.revokeObjectURL(url)
  dom.src = url
}
