import { connect } from '@weft/client'
import { expect } from 'vitest'
import type { Random } from '../crdt/Random.ts'
import { LinkProxy } from '../support/LinkProxy.ts'
import type { ServerProcess } from '../support/ServerProcess.ts'
import type { Program } from './Program.ts'

const name = 'weft/a'

type Level = 'local' | 'server'

/** A word that is written once, and perhaps removed. */
interface Token {
  readonly text: string
  removedBy: Program | null
  /** Where it was promised to be. */
  readonly kept: Set<Level>
  /** Where it was promised not to be any more. */
  readonly gone: Set<Level>
}

export interface KillablePrograms {
  start(): Promise<Program>
  /** All at once: a machine's worst. */
  killAll(random: Random): Promise<void>
  /** What the store holds, as a text, without a server. */
  stored(): Promise<string>
  /** How many programs may have the document open at a time. */
  readonly maxPrograms: number
}

/**
 * Rounds of edit, offline, kill and open again. In each, programs write and remove tokens, with and without the server, and
 * are told what is saved, until they are killed at a random moment. Then it is looked whether all that was promised is kept, in
 * the store alone and on the server, and whether nothing is there twice.
 */
export async function editAndKill(
  roundCount: number,
  random: Random,
  server: ServerProcess,
  programs: KillablePrograms,
): Promise<{ local: number; server: number; offline: number }> {
  const proxy = await LinkProxy.start(server.port)
  const url = `${proxy.socketUrl}/a`
  const tokens: Token[] = []
  const promised = { local: 0, server: 0, offline: 0 }

  const check = (text: string, where: string, level: Level, round: number): void => {
    const counts = countTokens(text)
    for (const { text: token, removedBy, kept, gone } of tokens) {
      const count = counts.get(token) ?? 0
      const least = kept.has(level) && removedBy === null ? 1 : 0
      const most = gone.has(level) ? 0 : 1
      if (count < least || count > most) {
        throw new Error(`round ${round}: ${token} is ${count} times in ${where}, not ${least} to ${most}: ${text}`)
      }
    }
  }

  try {
    for (let round = 0; round < roundCount; round++) {
      let isOnline = random.chance(0.6)
      proxy.refuse(!isOnline)
      if (!isOnline) proxy.cut()
      // Without content and without a server nobody could begin.
      if (round === 0) {
        isOnline = true
        proxy.refuse(false)
      }
      const running: Program[] = []
      for (let i = random.below(programs.maxPrograms); i >= 0; i--) {
        const program = await programs.start()
        running.push(program)
        const { text, storeError } = await program.call('connect', url, name)
        expect(storeError).toBe(null)
        if (round > 0) check(text, 'what the store has brought', 'local', round)
        else {
          // The next may begin in it, without the server.
          await program.call('insert', '(0)', '')
          await program.call('saved', 'local')
        }
      }
      const waiting: Promise<void>[] = []
      for (let step = 2 + random.below(25); step > 0; step--) {
        const program = random.pick(running)
        const kind = random.below(20)
        if (kind < 10) {
          const token: Token = {
            text: `(${round}.${tokens.length})`,
            removedBy: null,
            kept: new Set(),
            gone: new Set(),
          }
          const behind = tokens.length === 0 ? '' : random.pick(tokens.slice(-10)).text
          tokens.push(token)
          await program.call('insert', token.text, behind)
        } else if (kind < 13) {
          const candidates = tokens.slice(-10).filter(token => token.removedBy === null)
          if (candidates.length === 0) continue
          const token = random.pick(candidates)
          // Another program may not have got it: then this removes nothing.
          if (!(await program.call('text')).includes(token.text)) continue
          token.removedBy = program
          await program.call('remove', token.text)
        } else if (kind < 18) {
          const level = isOnline && random.chance(0.5) ? 'server' : 'local'
          // What this program has in its document, and so what the promise is about.
          const counts = countTokens(await program.call('text'))
          const held = tokens.map(token => ({
            token,
            isThere: counts.has(token.text),
            isGone: token.removedBy === program,
          }))
          const saved = program.call('saved', level).then(
            () => {
              promised[level]++
              if (!isOnline) promised.offline++
              for (const { token, isThere, isGone } of held) {
                if (isThere) token.kept.add(level)
                if (isGone) token.gone.add(level)
              }
            },
            () => {
              // Killed before: nothing was promised.
            },
          )
          if (random.chance(0.7)) await saved
          else waiting.push(saved)
        } else {
          isOnline = !isOnline
          proxy.refuse(!isOnline)
          if (!isOnline) proxy.cut()
        }
      }
      await programs.killAll(random)
      await Promise.all(waiting)
      check(await programs.stored(), 'the store', 'local', round)
      if (random.chance(0.1)) {
        await server.kill()
        await server.start()
      }
    }
    proxy.refuse(false)
    const last = await programs.start()
    await last.call('connect', url, name)
    await last.call('saved', 'server')
    const reader = await connect(`${server.socketUrl}/a`)
    const text = reader.ydoc.getText('t').toString()
    await reader.close()
    check(text, 'the server’s document', 'server', roundCount)
    check(text, 'the server’s document', 'local', roundCount)
    await programs.killAll(random)
    return promised
  } finally {
    await proxy.stop()
  }
}

/** How often each token is in a text. @throws where there is anything else between them */
function countTokens(text: string): Map<string, number> {
  const counts = new Map<string, number>()
  const rest = text.replaceAll(/\(\d+(\.\d+)?\)/g, token => {
    counts.set(token, (counts.get(token) ?? 0) + 1)
    return ''
  })
  if (rest !== '') throw new Error(`pieces of tokens: ${rest}`)
  return counts
}
