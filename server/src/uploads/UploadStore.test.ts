import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DocumentId } from '@weft/protocol'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeTemporaryFolder, removeFolder } from '../../../test/support/temporaryFolder.ts'
import { UploadStore, type UploadsView } from './UploadStore.ts'

const a = 'a' as DocumentId
const bytesOf = (text: string) => Buffer.from(`%PDF-${text}`)

describe('a view of all uploads', () => {
  let folder = ''
  let store: UploadStore
  beforeEach(async () => {
    folder = await makeTemporaryFolder()
    store = new UploadStore(folder, 1 << 20)
  })
  afterEach(() => removeFolder(folder))

  async function textsIn(view: UploadsView): Promise<string[]> {
    const texts: string[] = []
    for await (const item of view.files(a)) {
      texts.push('damage' in item ? item.damage : Buffer.from(item.bytes).toString())
    }
    return texts.sort()
  }
  const folders = () => readdir(join(folder, 'uploads'))

  it('[F5] has what is deleted while it is open, and what comes in its place; nobody else has the former', async () => {
    const { file } = await store.put(a, bytesOf('one'))
    const view = store.view()
    await store.delete(a)
    expect(await store.find(a, file)).toBe(null)
    await store.put(a, bytesOf('two'))
    await store.delete(a)
    await store.put(a, bytesOf('three'))
    // Deleted and put in again: once.
    await store.put(a, bytesOf('one'))
    const later = store.view()
    await store.delete(a)
    expect(await textsIn(view)).toEqual(['%PDF-one', '%PDF-three', '%PDF-two'])
    await view.close()
    await view.close()
    expect(await textsIn(later)).toEqual(['%PDF-one', '%PDF-three', '%PDF-two'])
    await later.close()
    expect(await folders()).toEqual([])
  })

  it('[F5] holds back nothing once it is closed', async () => {
    await store.put(a, bytesOf('one'))
    const view = store.view()
    const deletion = store.delete(a)
    await view.close()
    await deletion
    expect(await folders()).toEqual([])
    await store.put(a, bytesOf('two'))
    await store.delete(a)
    expect(await folders()).toEqual([])
    await store.view().close()
    await store.delete(a)
  })

  it('has each file whole: one is moved aside between its being listed and read', async () => {
    await store.put(a, bytesOf('one'))
    await store.put(a, bytesOf('two'))
    const view = store.view()
    const items = view.files(a)[Symbol.asyncIterator]()
    expect((await items.next()).value).toMatchObject({ documentId: a })
    await store.delete(a)
    expect((await items.next()).value).toMatchObject({ documentId: a, bytes: expect.any(Uint8Array) })
    expect((await items.next()).done).toBe(true)
    await view.close()
  })

  it('names what is damaged, and has nothing of it', async () => {
    const { file } = await store.put(a, bytesOf('one'))
    const [name = ''] = await folders()
    await writeFile(join(folder, 'uploads', name, file), '%PDF-one, and more')
    await mkdir(join(folder, 'uploads', name, `${'00'.repeat(32)}.png`))
    const view = store.view()
    expect(await textsIn(view)).toEqual([expect.stringContaining('EISDIR'), 'its bytes are not those that were stored'])
    await view.close()
  })

  it('[F4] that a crash closed leaves nothing behind at the next start', async () => {
    await store.put(a, bytesOf('one'))
    store.view()
    await store.delete(a)
    await store.put(a, bytesOf('two'))
    expect(await folders()).toHaveLength(2)
    const next = new UploadStore(folder, 1 << 20)
    // The document is there.
    await next.sweep({ open: async () => ({ head: 1, deletedAt: null }) as never }, Date.now())
    const [name = '', ...others] = await folders()
    expect(others).toEqual([])
    expect(await readFile(join(folder, 'uploads', name, 'document'), 'utf8')).toBe('a')
  })
})
