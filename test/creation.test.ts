import { expect, it } from 'vitest'
import { type ApiAnswer, api, apiPath } from './support/apiClient.ts'
import { RawClient } from './support/RawClient.ts'
import { testServer } from './support/testServer.ts'
import { asksForTokens, sign, tokenFor } from './support/tokens.ts'

// What is begun over HTTP, and by whom.

const outcome = ({ status, code }: ApiAnswer) => [status, code]
const behindProxy = { WEFT_TRUSTED_PROXIES: 'loopback' }
const from = (address: string) => ({ 'X-Forwarded-For': address })
const markdown = { 'Content-Type': 'text/markdown' }
const bytes = { 'Content-Type': 'application/octet-stream' }

it('[threat D2] new documents over HTTP are as many as over a socket, files put into what is not there counted too', async () => {
  const server = await testServer({ ...asksForTokens, ...behindProxy, WEFT_NEW_DOCUMENTS_PER_MINUTE: '2' })
  const eve = await tokenFor('editor', { sub: 'eve' })
  const put = (name: string, token: string) =>
    api(server, 'PUT', apiPath(name), { headers: { ...markdown, ...from('192.0.2.1') }, body: 'x', token })
  expect((await put('eve-1', eve)).status).toBe(201)
  const upload = (name: string, token: string) =>
    api(server, 'POST', `${apiPath(name)}/uploads`, { headers: { ...bytes, ...from('192.0.2.1') }, body: 'x', token })
  expect((await upload('eve-2', eve)).status).toBe(201)
  const refused = await put('eve-5', eve)
  expect(outcome(refused)).toEqual([429, 'too-fast'])
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(outcome(await upload('eve-5', eve))).toEqual([429, 'too-fast'])
  const patch = { headers: { ...bytes, ...from('192.0.2.1') }, body: Uint8Array.of(0, 0), token: eve }
  expect(outcome(await api(server, 'PATCH', apiPath('eve-5'), patch))).toEqual([429, 'too-fast'])
  // What is there isn't new; others don't wait; an application's own server begins as many as it has.
  expect((await put('eve-1', eve)).status).toBe(200)
  expect((await put('bo', await tokenFor('editor', { sub: 'bo' }))).status).toBe(201)
  for (let i = 0; i < 4; i++)
    expect((await put(`host-${i}`, await tokenFor('owner', { sub: 'host' }))).status).toBe(201)
})

it('[threat D2] a file is put into nothing by nobody who may not create it', async () => {
  const server = await testServer(asksForTokens)
  const token = await sign({ docs: [{ prefix: '', role: 'editor', create: false }] })
  const upload = (name: string) => api(server, 'POST', `${apiPath(name)}/uploads`, { headers: bytes, body: 'x', token })
  expect(outcome(await upload('nothing'))).toEqual([403, 'forbidden'])
  const owner = await tokenFor('owner')
  await api(server, 'PUT', apiPath('there'), { headers: markdown, body: 'x', token: owner })
  expect((await upload('there')).status).toBe(201)
})

it('[threat S6] no file is taken where too little space is left', async () => {
  const server = await testServer({ WEFT_MIN_FREE_BYTES: String(10 ** 15 - 1) })
  const answer = await api(server, 'POST', `${apiPath('a')}/uploads`, { headers: bytes, body: 'x' })
  expect(outcome(answer)).toEqual([503, 'unavailable'])
})

it('[threat C4] all addresses of an IPv6 network of one subscriber are one', async () => {
  const server = await testServer({ ...behindProxy, WEFT_MAX_CONNECTIONS_PER_ADDRESS: '1' })
  const connect = (address: string) => RawClient.connect(`${server.socketUrl}/a`, { headers: from(address) })
  await connect('2001:db8:1:2::1')
  await expect(connect('2001:db8:1:2:ffff::9')).rejects.toThrow('429')
  await connect('2001:db8:1:3::1')
})
