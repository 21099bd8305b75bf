import { connect } from '@weft/client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { api, apiPath, putMarkdown } from './support/apiClient.ts'
import { eventually } from './support/eventually.ts'
import { NO_UPDATE } from './support/RawClient.ts'
import { dialects, Speaker } from './support/Speaker.ts'
import { sharedServer, testServer } from './support/testServer.ts'
import { asksForTokens, sign, tokenFor } from './support/tokens.ts'
import { textOf, typist } from './support/typist.ts'

const running = sharedServer(asksForTokens)
const editor = (sub: string, claims: object = {}) => tokenFor('editor', { sub, ...claims })

describe.each(dialects)('in the dialect %s', dialect => {
  const join = (document: string, token: string, update = NO_UPDATE) =>
    Speaker.join(running(), dialect, `${dialect}/${document}`, token, { update })
  /** Somebody else, who sees what there is to see. */
  const watch = async (document: string) =>
    Speaker.join(running(), 'y-websocket', `${dialect}/${document}`, await editor('watcher'))

  it('[threat P2] a token of the same user counts in place, with more rights or less; that of another one ends the session', async () => {
    const ann = await join('renewed', await tokenFor('viewer'))
    await eventually('access', () => ann.accesses.length === 1)
    ann.edit(typist(1).type('refused'))
    await eventually('a refusal', () => ann.refusals === 1)
    ann.giveToken(await tokenFor('editor'))
    await eventually('more', () => ann.accesses.length === 2)
    const words = typist(2)
    ann.edit(words.type('taken'))
    const watcher = await watch('renewed')
    await eventually('the edit', () => textOf(...watcher.updates) === 'taken')
    ann.giveToken(await tokenFor('commenter'))
    await eventually('less', () => ann.accesses.length === 3)
    expect(ann.accesses).toEqual(['read-only', 'read-write', 'read-only'])
    ann.edit(words.type('!'))
    await eventually('a refusal', () => ann.refusals === 2)
    expect(ann.ended).toBeNull()
    ann.giveToken(await tokenFor('owner', { sub: 'bo' }))
    await eventually('the end', () => ann.ended === 'forbidden: this is the token of another user')
    expect(textOf(...watcher.updates)).toBe('taken')
  })

  it('awareness says who it is by the token, also where another is claimed; nobody sets another’s state', async () => {
    const watcher = await watch('who')
    const ann = await join('who', await editor('ann', { name: 'Ann' }))
    const bo = await join('who', await editor('bo', { name: 'Bo' }))
    ann.showState(1, 1, { user: { id: 'bo', name: 'Bo', color: '#0f766e' }, cursor: 3 })
    bo.showState(2, 1, {})
    const stateOfAnn = { user: { id: 'ann', name: 'Ann', color: '#0f766e' }, cursor: 3 }
    await eventually('both', () => watcher.states.size === 2)
    expect([watcher.states.get(1), watcher.states.get(2)]).toEqual([stateOfAnn, { user: { id: 'bo', name: 'Bo' } }])
    bo.showState(1, 9, { user: { name: 'not Ann' } })
    bo.showState(1, 10, null)
    bo.showState(2, 2, { seen: true })
    await eventually('what is Bo’s', () => JSON.stringify(watcher.states.get(2)).includes('seen'))
    expect(watcher.states.get(1)).toEqual(stateOfAnn)
    // Who comes later is told the same.
    const late = await watch('who')
    await eventually('both', () => late.states.size === 2)
    expect(late.states.get(1)).toEqual(stateOfAnn)
  })

  it('[threat U6] nobody goes on with a client id that another user’s connection uses; that user’s other ones may', async () => {
    const ann = typist(1)
    const tab = await join('ids', await editor('ann'))
    tab.edit(ann.type('Ann'))
    const watcher = await watch('ids')
    await eventually('the first words', () => textOf(...watcher.updates) === 'Ann')
    const bo = await join('ids', await editor('bo'))
    const forged = typist(1)
    forged.type('Ann')
    bo.edit(forged.type(' is a fool'))
    // In what it brings along, too. (A provider hears of it when its socket is closed, 5 s later.)
    const step2 = forged.updates.at(-1) ?? NO_UPDATE
    const again = await join('ids', await editor('bo'), step2)
    const refusal = 'policy: client id 1 is in use by another user'
    await eventually('the ends', () => bo.ended === refusal && again.ended === refusal)
    const otherTab = await join('ids', await editor('ann'))
    otherTab.edit(ann.type(' and Bo'))
    await eventually('the next words', () => textOf(...watcher.updates) === 'Ann and Bo')
    expect([tab.ended, otherTab.ended]).toEqual([null, null])
    // Offline edits of an earlier sitting, which nobody uses now.
    tab.cut()
    otherTab.cut()
    await eventually('nobody to use it', async () => {
      const sitting = await join('ids', await editor('bo'))
      sitting.edit(ann.updates.length === 2 ? ann.type('!') : (ann.updates.at(-1) ?? NO_UPDATE))
      const isTaken = () => textOf(...watcher.updates) === 'Ann and Bo!'
      return eventually('an end or the words', () => sitting.ended !== null || isTaken()).then(isTaken)
    })
  })

  it('[threat D2] who may write and not create writes where somebody has begun, and is told when', async () => {
    const token = await sign({ docs: [{ prefix: '', role: 'owner', create: false }] })
    const ann = await join('begun', token)
    await eventually('access', () => ann.accesses[0] === 'read-only')
    const words = typist(1)
    ann.edit(words.type('mine'))
    await eventually('a refusal', () => ann.refusals > 0)
    const listed = async () => (await api(running(), 'GET', '/api/v1/documents', { token: await editor('zoe') })).text
    expect(await listed()).not.toContain(`${dialect}/begun`)
    const bo = await join('begun', await editor('bo'))
    const beginning = typist(2)
    bo.edit(beginning.type('hello '))
    await eventually('the news', () => ann.accesses.at(-1) === 'read-write')
    // It is asked for what it had written before.
    await eventually('the question', () => (ann.steps[0] ?? 0) >= 2)
    for (const update of words.updates) ann.edit(update)
    const watcher = await watch('begun')
    await eventually('both', () => ['hello mine', 'minehello '].includes(textOf(...watcher.updates)))
    // What was there before needs no such right.
    const later = await join('begun', token)
    await eventually('access', () => later.accesses[0] === 'read-write')
  })
})

describe('over HTTP', () => {
  it('[threat D2] who may write and not create writes where somebody has begun', async () => {
    const server = running()
    const token = await sign({
      docs: [
        { prefix: '', role: 'owner' },
        { prefix: 'closed/', role: 'owner', create: false },
      ],
    })
    expect((await putMarkdown(server, 'open/a', 'x', token)).status).toBe(201)
    const refused = await putMarkdown(server, 'closed/a', 'x', token)
    expect([refused.status, refused.code]).toEqual([403, 'forbidden'])
    const headers = { 'Content-Type': 'application/octet-stream' }
    const update = typist(7).type('x')
    const patch = () => api(server, 'PATCH', apiPath('closed/a'), { token, headers, body: update })
    expect((await patch()).status).toBe(403)
    expect((await putMarkdown(server, 'closed/a', 'x', await editor('bo'))).status).toBe(201)
    expect((await putMarkdown(server, 'closed/a', 'y', token)).status).toBe(200)
    expect((await patch()).status).toBe(200)
    // Deleted, it must be begun again.
    expect((await api(server, 'DELETE', apiPath('closed/a'), { token })).status).toBe(200)
    expect((await putMarkdown(server, 'closed/a?anew=true', 'x', token)).status).toBe(403)
    const anew = { token, headers: { 'Content-Type': 'text/markdown' }, body: 'x' }
    expect((await api(server, 'PUT', apiPath('closed/a', '?anew=true'), anew)).status).toBe(403)
  })

  it('[threat U6] nobody goes on with a client id that another user’s connection uses', async () => {
    const server = running()
    const ann = typist(1)
    const tab = await Speaker.join(server, 'y-websocket', 'http/ids', await editor('ann'))
    tab.edit(ann.type('Ann'))
    const watcher = await Speaker.join(server, 'y-websocket', 'http/ids', await editor('zoe'))
    await eventually('the first words', () => textOf(...watcher.updates) === 'Ann')
    const forged = typist(1)
    forged.type('Ann')
    const body = forged.type(' is a fool')
    const headers = { 'Content-Type': 'application/octet-stream' }
    const send = async (sub: string) =>
      api(server, 'PATCH', apiPath('http/ids'), { token: await editor(sub), headers, body })
    expect((await send('bo')).status).toBe(403)
    expect((await send('ann')).status).toBe(200)
  })
})

it('without tokens there are no users: names are the clients’ own, and the rule of client ids rests', async () => {
  const server = await testServer()
  const [ann, bo] = [
    await Speaker.join(server, 'y-websocket', 'a', null),
    await Speaker.join(server, 'hocuspocus', 'a', null),
  ]
  ann.showState(1, 1, { user: { name: 'Ann' } })
  await eventually('Ann', () => bo.states.size === 1)
  expect(bo.states.get(1)).toEqual({ user: { name: 'Ann' } })
  const words = typist(1)
  ann.edit(words.type('one '))
  await eventually('the words', () => textOf(...bo.updates) === 'one ')
  bo.edit(words.type('two'))
  await eventually('the words', () => textOf(...ann.updates, ...words.updates.slice(0, 1)) === 'one two')
  expect(bo.ended).toBeNull()
})

it('@weft/client keeps its own state, and sees others as their tokens say', async () => {
  const url = `${running().socketUrl}/client/who`
  const open = async (sub: string, name: string) => {
    const user = { name: 'somebody', color: '#0f766e' }
    const document = await connect(url, { token: await editor(sub, { name }), user })
    onTestFinished(() => document.close({ saved: false }))
    return document
  }
  const [ann, bo] = [await open('ann', 'Ann'), await open('bo', 'Bo')]
  const seen = { user: { id: 'ann', name: 'Ann', color: '#0f766e' } }
  await eventually('Ann to be seen', () => bo.awareness.getStates().has(ann.ydoc.clientID))
  expect(bo.awareness.getStates().get(ann.ydoc.clientID)).toEqual(seen)
  expect(ann.awareness.getLocalState()).toEqual({ user: { name: 'somebody', color: '#0f766e' } })
})
