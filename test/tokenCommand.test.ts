import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import { describe, expect, it } from 'vitest'
import { api, apiPath, putMarkdown } from './support/apiClient.ts'
import { sharedServer, testFolder } from './support/testServer.ts'
import { asksForTokens, nowInSeconds, SECRET } from './support/tokens.ts'
import { runCommand } from './support/weftCommand.ts'

const running = sharedServer({ ...asksForTokens, WEFT_AUTH_ISSUER: 'us', WEFT_AUTH_AUDIENCE: 'weft' })
const env = { WEFT_AUTH_SECRET: SECRET, WEFT_AUTH_ISSUER: 'us', WEFT_AUTH_AUDIENCE: 'weft' }
const run = (...args: string[]) => runCommand(['token', ...args], env)

describe('weft token', () => {
  it('makes one that its server takes, for what it says and no more', async () => {
    const made = await run('--user', 'ann', '--name', 'Ann', '--document', 'team/notes', '--prefix', 'drafts/')
    expect(made).toMatchObject({ code: 0, stderr: '' })
    const token = made.stdout.trim()
    const server = running()
    expect((await putMarkdown(server, 'team/notes', 'Text.', token)).status).toBe(201)
    expect((await putMarkdown(server, 'drafts/a/b', 'Text.', token)).status).toBe(201)
    expect((await putMarkdown(server, 'team/plan', 'Text.', token)).status).toBe(403)
    expect((await api(server, 'DELETE', apiPath('team/notes'), { token })).status).toBe(403)
    const session = JSON.parse((await api(server, 'GET', '/api/v1/session', { token })).text)
    expect(session.user).toEqual({ id: 'ann', name: 'Ann' })
    expect(Math.abs(Date.parse(session.expiresAt) / 1000 - nowInSeconds() - 3600)).toBeLessThan(120)
  })

  it('prints a JSON object, and takes role, end and the right to create', async () => {
    const args = ['--user', 'bot', '--prefix', '', '--role', 'owner', '--expires', '24h', '--no-create', '--json']
    const { stdout } = await run(...args)
    const { token, expiresAt, ...rest } = JSON.parse(stdout)
    const docs = [{ prefix: '', role: 'owner', create: false }]
    expect(rest).toEqual({ user: 'bot', docs })
    expect(decodeJwt(token)).toMatchObject({
      sub: 'bot',
      iss: 'us',
      aud: 'weft',
      docs,
      exp: Date.parse(expiresAt) / 1000,
    })
    expect((await putMarkdown(running(), 'bot/new', 'Text.', token)).status).toBe(403)
    expect((await api(running(), 'GET', '/api/v1/documents', { token })).status).toBe(200)
  })

  it('reads the secret from a file, and prints nothing of it', async () => {
    const file = join(await testFolder(), 'secret')
    await writeFile(file, `${SECRET}\n`)
    const of = (secret: Record<string, string>) =>
      runCommand(['token', '--user', 'ann', '--prefix', ''], { ...env, ...secret })
    const { WEFT_AUTH_SECRET: _, ...rest } = env
    const made = await runCommand(['token', '--user', 'ann', '--prefix', ''], { ...rest, WEFT_AUTH_SECRET_FILE: file })
    expect((await api(running(), 'GET', '/api/v1/documents', { token: made.stdout.trim() })).status).toBe(200)
    for (const bad of [{ WEFT_AUTH_SECRET: 'hunter2' }, { WEFT_AUTH_SECRET: 'x'.repeat(40) }]) {
      const { code, stdout, stderr } = await of(bad)
      expect([code, stdout]).toEqual([2, ''])
      expect(stderr).toMatch(/^weft: WEFT_AUTH_SECRET has .*\n$/)
      expect(stderr).not.toContain(bad.WEFT_AUTH_SECRET)
    }
    const none = await runCommand(['token', '--user', 'ann', '--prefix', ''])
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('WEFT_AUTH_SECRET')])
  })

  it.each([
    [['--prefix', ''], '--user says who it is for'],
    [['--user', 'ann'], '--document or --prefix says what it opens'],
    [['--user', 'ann', '--prefix', 'team'], 'prefix does not end with a slash'],
    [['--user', 'ann', '--document', 'a//b'], 'empty segment'],
    [['--user', 'ann', '--document', 'a', '--document', 'a'], 'names what an entry before it names'],
    [['--user', 'ann', '--document', 'a', '--role', 'king'], '--role is one of'],
    [['--user', 'ann', '--document', 'a', '--expires', '2d'], '--expires is 24h at most'],
    [['--user', 'ann', '--document', 'a', '--expires', 'soon'], "--expires is 'soon'"],
    [['--user', 'ann', '--document', 'a', 'more'], 'expected options only'],
    [['--user', 'x'.repeat(256), '--document', 'a'], '--user is over 255 bytes'],
  ])('called with %j ends with 2 and one line', async (args, message) => {
    const { code, stdout, stderr } = await run(...args)
    expect([code, stdout, stderr.trim().split('\n').length]).toEqual([2, '', 1])
    expect(stderr).toContain(message)
  })
})
