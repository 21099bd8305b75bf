#!/usr/bin/env node
/**
 * Starts Firefox for Playwright and stands between the two: Playwright's WebDriver BiDi is newer than the one of a
 * Firefox ESR, and sets up every window with commands of the emulation module that this Firefox may not know. Those are
 * answered as done; everything else goes through untouched.
 */
import { spawn } from 'node:child_process'
import { WebSocket, WebSocketServer } from 'ws'

const firefox = spawn(process.env.FIREFOX_PATH, process.argv.slice(2), {
  stdio: ['ignore', 'ignore', 'pipe'],
  // Its crash reporter would be a process on its own.
  env: { ...process.env, MOZ_CRASHREPORTER: undefined, MOZ_CRASHREPORTER_DISABLE: '1' },
})
firefox.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 1))
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => firefox.kill(signal))

firefox.stderr.setEncoding('utf8')
let printed = ''
firefox.stderr.on('data', function listen(text) {
  printed += text
  const address = /WebDriver BiDi listening on (ws:\/\/\S+)\n/.exec(printed)?.[1]
  if (address === undefined) return
  firefox.stderr.off('data', listen).pipe(process.stderr)
  relay(`${address}/session`)
})

/** @param address where Firefox speaks BiDi */
function relay(address) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
  server.on('listening', () => {
    process.stderr.write(`WebDriver BiDi listening on ws://127.0.0.1:${server.address().port}\n`)
  })
  server.on('connection', driver => {
    const browser = new WebSocket(address, { perMessageDeflate: false })
    /** The emulation commands that wait for their answer. */
    const emulations = new Set()
    const waiting = []
    driver.on('message', data => {
      const text = data.toString()
      if (text.includes('"emulation.')) emulations.add(JSON.parse(text).id)
      if (browser.readyState === WebSocket.OPEN) browser.send(text)
      else waiting.push(text)
    })
    browser.on('open', () => {
      for (const text of waiting) browser.send(text)
    })
    browser.on('message', data => {
      const text = data.toString()
      if (emulations.size === 0 || !text.includes('"id":')) return driver.send(text)
      const answer = JSON.parse(text)
      const isUnknown = emulations.delete(answer.id) && answer.error === 'unknown command'
      driver.send(isUnknown ? JSON.stringify({ type: 'success', id: answer.id, result: {} }) : text)
    })
    // Nobody drives it any more, however that ended.
    driver.on('close', () => firefox.kill())
    browser.on('close', () => driver.close())
    browser.on('error', error => process.stderr.write(`${error}\n`))
  })
}
