import { once } from 'node:events'
import { expect, it } from 'vitest'
import { Random } from '../crdt/Random.ts'
import { fuzzTimeoutMs, rounds } from '../rounds.ts'
import { within } from '../support/eventually.ts'
import { OpenApi } from '../support/openApi.ts'
import { sharedServer } from '../support/testServer.ts'
import { asksForTokens, tokenFor } from '../support/tokens.ts'
import { WireSocket } from '../support/WireSocket.ts'
import { mutateBytes } from './fields.ts'
import { type SampleRequest, sampleRequests } from './sampleRequests.ts'

const given = process.env.WEFT_TEST_SEED
const SEED = given === undefined ? 20_261_130 : Number(given)
const AT_ONCE = 8

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'FOO', 'get']
const ODD_PARTS = [
  '',
  '..',
  '.',
  '%00',
  '%2e%2e',
  '%2F',
  '%ff',
  '%',
  '%zz',
  '\\',
  '__proto__',
  'constructor',
  'a'.repeat(300),
  'é',
  '%C3%A9',
  'e%CC%81',
  '%E2%80%AE',
  '*',
  '?',
  '#',
  '{document}',
]
const ODD_VALUES = ['', '0', '-1', '1e9', 'null', 'x'.repeat(9000), '\x7f', 'é', 'a, b', '"', 'W/"1"', 'bytes=0-']
const ODD_HEADERS = [
  'Range',
  'If-Match',
  'If-None-Match',
  'If-Modified-Since',
  'Content-Range',
  'Content-Encoding',
  'Content-Type',
  'Accept',
  'Accept-Encoding',
  'Authorization',
  'Cookie',
  'Origin',
  'Host',
  'Expect',
  'Transfer-Encoding',
  'Upgrade',
  'Connection',
  'X-Forwarded-For',
  'Weft-Version',
]

const server = sharedServer(asksForTokens)

it(
  `[threat C1] changed requests for every route get an answer, and never a 500 (${rounds.fuzzedRequests}, seed ${SEED})`,
  async () => {
    const random = new Random(SEED)
    const samples = sampleRequests((await OpenApi.of(server())).document, await tokenFor('owner'))
    const statuses = new Map<number, number>()
    const one = async (index: number) => {
      const request = write(mutate(random.pick(samples), random), random)
      const answers = await within(() => `an answer to request ${index}:\n${show(request)}`, exchange(request), 60_000)
      if (request.isWhole && answers.length === 0) throw new Error(`no answer to request ${index}:\n${show(request)}`)
      for (const status of answers) {
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        if (status >= 500 && status !== 501 && status !== 503 && status !== 505) {
          throw new Error(`request ${index} is answered by ${status} (seed ${SEED}):\n${show(request)}`)
        }
      }
    }
    for (let index = 0; index < rounds.fuzzedRequests; index += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, (_, at) => one(index + at)))
    }
    // Some are as they must be, and the others are refused in many ways.
    for (const status of [200, 201, 400, 401, 404, 405, 415])
      expect([status, statuses.has(status)]).toEqual([status, true])
    expect((await fetch(`${server().url}/healthz`)).status).toBe(200)
    expect(server().output).not.toMatch(/uncaught|unhandled|"level":(50|60)/i)
  },
  fuzzTimeoutMs,
)

it.each(['/sessions/%zz', '/sessions/%ff', '/links/%C3', '/documents/%'])(
  '[threat C1] a percent-escape that is no UTF-8 is a bad request: %s',
  async path => {
    const lines = [
      `DELETE /api/v1${path} HTTP/1.1`,
      'Host: 127.0.0.1',
      `Authorization: Bearer ${await tokenFor('owner')}`,
      'X-Requested-With: test',
      '',
      '',
    ]
    expect(await exchange({ bytes: Buffer.from(lines.join('\r\n')), isWhole: true })).toEqual([400])
  },
)

/**
 * Sends a request, and says that nothing follows: at once where some of it may be missing, else when an answer comes, for who says
 * so before gets none.
 * @returns the statuses of all answers
 */
async function exchange({ bytes, isWhole }: WrittenRequest): Promise<number[]> {
  const wire = await WireSocket.open(server())
  const { socket } = wire
  const answered = isWhole ? Promise.race([once(socket, 'data'), once(socket, 'close')]) : Promise.resolve()
  wire.write(bytes)
  await answered
  socket.end()
  const answer = (await wire.ended()).toString('latin1')
  socket.destroy()
  return [...answer.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status))
}

interface WrittenRequest {
  readonly bytes: Buffer
  readonly isWhole: boolean
}

function mutate(sample: SampleRequest, random: Random): SampleRequest {
  let { method, path, body } = sample
  const headers = sample.headers.map(([name, value]): [string, string] => [name, value])
  for (let count = random.below(4); count > 0; count--) {
    switch (random.below(7)) {
      case 0:
        method = random.pick(METHODS)
        break
      case 1: {
        const parts = path.split('/')
        parts.splice(1 + random.below(parts.length), random.below(2), random.pick(ODD_PARTS))
        path = parts.join('/')
        break
      }
      case 2:
        path += `${path.includes('?') ? '&' : '?'}${random.pick(['document', 'limit', 'after', 'prefix', 'format', 'base', 'anew', '__proto__'])}=${random.pick(ODD_PARTS)}`
        break
      case 3:
        headers.push([random.pick(ODD_HEADERS), random.pick(ODD_VALUES)])
        break
      case 4:
        if (headers.length > 0) headers.splice(random.below(headers.length), 1)
        break
      case 5: {
        const header = random.pick(headers)
        header[1] = random.chance(0.5) ? random.pick(ODD_VALUES) : mutateText(header[1], random)
        break
      }
      default:
        body = random.chance(0.2) ? Buffer.from('x'.repeat(70_000)) : mutateBytes(body ?? Buffer.from('{}'), random)
    }
  }
  return { method, path, headers, body }
}

/** The bytes of a request; some lie about their length, and some are broken anywhere. */
function write({ method, path, headers, body }: SampleRequest, random: Random): WrittenRequest {
  const lie = random.chance(0.05) ? random.pick([-1, 1, 100_000]) : 0
  const lines = [
    `${method} ${path} HTTP/1.1`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(body === null ? [] : [`Content-Length: ${body.length + lie}`]),
    '',
    '',
  ]
  const bytes = Buffer.concat([Buffer.from(lines.join('\r\n'), 'latin1'), body ?? new Uint8Array()])
  if (random.chance(0.05)) return { bytes: Buffer.from(mutateBytes(bytes, random)), isWhole: false }
  return { bytes, isWhole: lie <= 0 }
}

function mutateText(text: string, random: Random): string {
  return Buffer.from(mutateBytes(Buffer.from(text), random)).toString('latin1')
}

function show({ bytes }: WrittenRequest): string {
  return JSON.stringify(bytes.toString('latin1').slice(0, 2000))
}
