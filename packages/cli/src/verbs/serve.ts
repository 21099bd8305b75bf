import type { Verb } from '../Verb.ts'

/** Not `defineVerb`: options, help and exit codes are the server's own. */
export const serveVerb: Verb = {
  name: 'serve',
  summary: 'start a server',
  options: {},
  help: '',
  async run(args) {
    // The server's package is a program: imported, it runs with the arguments of the process, and ends it itself.
    process.argv.splice(2, process.argv.length, ...args)
    await import('@weft/server')
    return new Promise<never>(() => {})
  },
}
