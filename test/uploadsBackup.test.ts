import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { api, apiPath, putMarkdown } from './support/apiClient.ts'
import { asFormat1 } from './support/asFormat1.ts'
import { contentOf, fingerprint, lines, told } from './support/backups.ts'
import type { ServerProcess } from './support/ServerProcess.ts'
import { sharedServer, testFolder, testServer } from './support/testServer.ts'
import { type CommandResult, runCommand } from './support/weftCommand.ts'

const PNG = Buffer.from('\x89PNG\r\n\x1a\n and so on', 'latin1')
const PDF = Buffer.from('%PDF-1.7 and so on')
/** More than two records of a backup. */
const LARGE = Buffer.concat([PNG, Buffer.alloc((2 << 20) + 5, 'large')])

interface Put {
  readonly path: string
  /** Its place in the folder of uploads. */
  readonly place: string
  readonly file: string
}

/** Files in documents, which name them. */
async function fill(server: ServerProcess): Promise<Record<'picture' | 'large' | 'paper' | 'binned', Put>> {
  const put = async (name: string, body: Buffer): Promise<Put> => {
    const folders = await foldersOf(server)
    const headers = { 'X-Requested-With': 'x', 'Content-Type': 'application/octet-stream' }
    const { path } = JSON.parse((await api(server, 'POST', `${apiPath(name)}/uploads`, { headers, body })).text)
    const file = path.slice(path.lastIndexOf('/') + 1)
    const [folder = ''] = (await foldersOf(server)).filter(name => !folders.includes(name))
    return { path, file, place: join(folder, file) }
  }
  const picture = await put('a', PNG)
  const large = await put('a', LARGE)
  const paper = await put('team/ü b', PDF)
  const binned = await put('binned', PDF)
  await putMarkdown(server, 'a', `![one](${picture.path})\n\n![two](${large.path})`)
  await putMarkdown(server, 'team/ü b', `[paper](${paper.path}) and ![of another](${picture.path})`)
  await putMarkdown(server, 'binned', `[paper](${binned.path})`)
  await putMarkdown(server, 'plain', 'no files')
  await api(server, 'DELETE', apiPath('binned'), { headers: { 'X-Requested-With': 'x' } })
  return { picture, large: { ...large, place: join(picture.place, '..', large.file) }, paper, binned }
}

async function foldersOf({ folder }: ServerProcess): Promise<string[]> {
  return readdir(join(folder, 'uploads')).catch(() => [])
}

/** What of a folder's files was put into documents. */
const uploadsIn = async (data: string) => (await fingerprint(join(data, 'uploads'))).sort()

const verdict = ({ code, stdout, stderr }: CommandResult) => [code, ...lines(stdout), ...lines(stderr)]

describe('files in documents', () => {
  const running = sharedServer()
  let files: Awaited<ReturnType<typeof fill>>
  let backup = Buffer.of()
  beforeAll(async () => {
    files = await fill(running())
    backup = Buffer.from(await (await fetch(`${running().url}/api/v1/backup`)).arrayBuffer())
  })
  const weft = (...args: string[]) => runCommand(args, { WEFT_URL: running().url })

  it('are backed up and restored with them, as the server writes them', async () => {
    const folder = await testFolder()
    const file = join(folder, 'x.weft.gz')
    expect(await weft('backup', file)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^3 documents, 1 deleted, 4 files \(/),
    })
    const data = join(folder, 'data')
    const restored = await runCommand(['restore', file, '--data', data, '--json'])
    expect(JSON.parse(restored.stdout)).toMatchObject({ documents: 3, deleted: 1, files: 4, damaged: [] })
    expect(await uploadsIn(data)).toEqual(await uploadsIn(running().folder))
    for (const entry of await readdir(join(data, 'uploads'), { recursive: true, withFileTypes: true })) {
      const mode = (await stat(join(entry.parentPath, entry.name))).mode & 0o777
      expect([entry.name, mode]).toEqual([entry.name, entry.isDirectory() ? 0o700 : 0o600])
    }
    const server = await testServer({}, data)
    for (const [{ path }, bytes] of [
      [files.picture, PNG],
      [files.large, LARGE],
      [files.paper, PDF],
    ] as const) {
      expect(Buffer.from(await (await fetch(server.url + path)).arrayBuffer()).equals(bytes)).toBe(true)
    }
    // Also what is in the bin comes back with its files.
    const back = await api(server, 'POST', '/api/v1/bin/restore', {
      headers: { 'X-Requested-With': 'x', 'Content-Type': 'application/json' },
      body: JSON.stringify({ document: 'binned' }),
    })
    expect(back.status).toBe(200)
    expect((await fetch(server.url + files.binned.path)).status).toBe(200)
  })

  it('are taken out with one document, and put into it again', async () => {
    const folder = await testFolder()
    const file = join(folder, 'x.weft')
    const [to, taken] = [join(folder, 'a.yjs'), join(folder, 'files')]
    await writeFile(file, backup)
    const takeOut = (...args: string[]) => runCommand(['restore', file, '--document', 'a', '--to', to, ...args])
    expect(told(await takeOut())).toEqual([
      0,
      [`weft: 2 files of a can't be in ${to}: --files FOLDER takes them out, too`],
    ])
    expect(await takeOut('--files', taken, '--force')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^a {2}.*, 2 files {2}.*files\n$/),
      stderr: '',
    })
    expect((await readdir(taken)).sort()).toEqual([files.large.file, files.picture.file].sort())
    expect(told(await takeOut('--files', taken, '--force'))[1]).toEqual([expect.stringContaining('is not empty')])
    const server = await testServer()
    const bring = (...args: string[]) =>
      runCommand(['import', to, 'a', '--files', taken, ...args], { WEFT_URL: server.url })
    expect(verdict(await bring())).toEqual([0, 'merged  a, 2 files'])
    // What begins anew has lost them.
    await runCommand(['rm', 'a'], { WEFT_URL: server.url })
    expect(JSON.parse((await bring('--anew', '--json')).stdout)).toEqual({ document: 'a', state: 'merged', files: 2 })
    expect(verdict(await runCommand(['verify'], { WEFT_URL: server.url }))).toEqual([0, '1 sound; files: 2 sound'])
    await flip(join(taken, files.large.file))
    expect(told(await bring())).toEqual([1, [expect.stringContaining('or has changed since')]])
    const wrong = await runCommand(['restore', file, '--data', join(folder, 'data'), '--files', taken])
    expect([wrong.code, lines(wrong.stderr).length]).toEqual([2, 1])
  })

  it('are verified in each form', async () => {
    const sound = [0, '3 sound, 1 deleted; files: 4 sound']
    expect(verdict(await weft('verify'))).toEqual(sound)
    const folder = await testFolder()
    const file = join(folder, 'x.weft')
    await writeFile(file, backup)
    expect(verdict(await runCommand(['verify', file]))).toEqual(sound)
    const data = join(folder, 'data')
    await runCommand(['restore', file, '--data', data])
    const before = await fingerprint(data)
    expect(verdict(await runCommand(['verify', '--data', data]))).toEqual(sound)
    expect(await fingerprint(data)).toEqual(before)
  })

  it('that are damaged, missing or without their document are named, in a folder and in a backup of it', async () => {
    const folder = await testFolder()
    await writeFile(join(folder, 'x.weft'), backup)
    const data = join(folder, 'data')
    await runCommand(['restore', join(folder, 'x.weft'), '--data', data])
    const { picture, large, paper } = files
    const uploads = join(data, 'uploads')
    await flip(join(uploads, large.place))
    await rm(join(uploads, picture.place))
    // As a crash leaves it, and as nobody knows whose it is.
    await writeFile(join(uploads, paper.place, '..', 'half.part'), 'half')
    const orphans = join(uploads, '00'.repeat(16))
    await mkdir(orphans)
    await writeFile(join(orphans, paper.file), PDF)
    const changed = 'its bytes are not those that were stored'
    const named = [`damaged  a: ${large.file}`, `         ${changed}`]
    const missing = [`missing  a: ${picture.file}`, '         its document names it']
    expect(verdict(await runCommand(['verify', '--data', data]))).toEqual([
      1,
      `damaged  uploads/${'00'.repeat(16)}/${paper.file}`,
      '         the name of its document is lost',
      ...named,
      ...missing,
      '3 sound, 1 deleted; files: 2 sound, 2 damaged, 1 missing',
    ])
    await rm(orphans, { recursive: true })

    const server = await testServer({}, data)
    const env = { WEFT_URL: server.url }
    const file = join(folder, 'y.weft')
    const backedUp = await runCommand(['backup', file, '--json'], env)
    expect(told(backedUp)).toEqual([
      1,
      [`weft: a: ${large.file}: damaged in the store, and not in the backup: ${changed}`],
    ])
    expect(JSON.parse(backedUp.stdout)).toMatchObject({
      files: 2,
      damaged: [{ document: 'a', file: large.file, problem: changed }],
    })
    const wrong = [1, ...named, ...missing, '3 sound, 1 deleted; files: 2 sound, 1 damaged, 1 missing']
    expect(verdict(await runCommand(['verify', file]))).toEqual(wrong)
    expect(verdict(await runCommand(['verify'], env))).toEqual(wrong)
    const again = await runCommand(['restore', file, '--data', join(folder, 'new')])
    const note = `weft: a: ${large.file}: damaged when the backup was made, and not in it: ${changed}`
    expect(verdict(again)).toEqual([1, `3 documents, 1 deleted, 2 files  ${join(folder, 'new')}`, note])
  })

  it('whose document is not there are told, and are no fault', async () => {
    const folder = await testFolder()
    const server = await testServer({}, join(folder, 'data'))
    // Nobody writes the document.
    await api(server, 'POST', `${apiPath('later')}/uploads`, {
      headers: { 'X-Requested-With': 'x', 'Content-Type': 'image/png' },
      body: PNG,
    })
    expect(verdict(await runCommand(['verify'], { WEFT_URL: server.url }))).toEqual([0, 'no documents'])
    await server.stop()
    const { code, stdout } = await runCommand(['verify', '--data', server.folder, '--json'])
    expect([code, ...lines(stdout).map(line => JSON.parse(line))]).toMatchObject([
      0,
      { document: 'later', file: files.picture.file, state: 'orphaned', problems: ['its document is not there'] },
      { sound: 0, files: { sound: 0, damaged: 0, missing: 0, orphaned: 1 }, complete: true },
    ])
  })

  it('of which a backup is broken are named, and nothing is restored', async () => {
    const folder = await testFolder()
    const file = join(folder, 'x.weft')
    const broken = Buffer.from(backup)
    const at = broken.indexOf(LARGE.subarray(0, 1000)) + 500
    broken[at] = (broken[at] ?? 0) ^ 1
    await writeFile(file, broken)
    expect(verdict(await runCommand(['verify', file]))).toEqual([
      1,
      `damaged  a: ${files.large.file}`,
      expect.stringMatching(/the record at byte \d+ has a wrong checksum/),
      '3 sound, 1 deleted; files: 3 sound, 1 damaged',
    ])
    const restored = await runCommand(['restore', file, '--data', join(folder, 'data')])
    expect(told(restored)).toEqual([
      1,
      [expect.stringContaining(`x.weft is damaged: a: ${files.large.file}: the record`)],
    ])
    expect(await readdir(folder)).toEqual(['x.weft'])
  })

  it('are in no backup of an older version, which is read all the same, and that is said', async () => {
    const folder = await testFolder()
    const server = await testServer()
    await putMarkdown(server, 'a', `![one](${files.picture.path})`)
    const bytes = asFormat1(Buffer.from(await (await fetch(`${server.url}/api/v1/backup`)).arrayBuffer()))
    const file = join(folder, 'old.weft')
    await writeFile(file, bytes)
    const older = expect.stringMatching(/^weft: this backup is of an older version, which left out the files/)
    expect(verdict(await runCommand(['verify', file]))).toEqual([0, '1 sound', older])
    const data = join(folder, 'data')
    expect(verdict(await runCommand(['restore', file, '--data', data]))).toEqual([0, `1 document  ${data}`, older])
    // What a folder has of them is known.
    expect((await runCommand(['verify', '--data', data])).stdout).toContain(`missing  a: ${files.picture.file}`)
  })

  it('[threat S4] are repaired with their documents: sound ones are copied, the others named', async () => {
    const folder = await testFolder()
    await writeFile(join(folder, 'x.weft'), backup)
    const data = join(folder, 'data')
    await runCommand(['restore', join(folder, 'x.weft'), '--data', data])
    const { picture, large, paper } = files
    const sound = await uploadsIn(data)
    await flip(join(data, 'uploads', large.place))
    // The document knows its folder.
    await rm(join(data, 'uploads', paper.place, '..', 'document'))
    await rm(join(data, 'CURRENT'))
    const before = await fingerprint(data)
    const to = join(folder, 'repaired')
    const { code, stdout } = await runCommand(['repair', '--data', data, '--to', to])
    expect([code, ...lines(stdout)]).toEqual([
      1,
      `damaged   a: ${large.file}: its bytes are not those that were stored`,
      `3 whole, 1 deleted; files: 3 copied, 1 damaged  ${to}`,
    ])
    expect(await fingerprint(data)).toEqual(before)
    expect(await uploadsIn(to)).toEqual(sound.filter(line => !line.includes(large.file)))
    const server = await testServer({}, to)
    expect(Buffer.from(await (await fetch(server.url + picture.path)).arrayBuffer()).equals(PNG)).toBe(true)
    expect(
      (await contentOf(Buffer.from(await (await fetch(`${server.url}/api/v1/backup`)).arrayBuffer()))).files,
    ).toHaveLength(3)
  })
})

async function flip(file: string): Promise<void> {
  const bytes = await readFile(file)
  bytes[20] = (bytes[20] ?? 0) ^ 1
  await writeFile(file, bytes)
}
