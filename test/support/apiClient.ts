import { request } from 'node:http'
import { within } from './eventually.ts'
import { OpenApi } from './openApi.ts'
import type { ServerProcess } from './ServerProcess.ts'

/** The path of a document in the HTTP API. */
export const apiPath = (name: string, query = ''): string =>
  `/api/v1/documents/${name.split('/').map(encodeURIComponent).join('/')}${query}`

export interface ApiAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Of a JSON answer that is an error; else null. */
  readonly code: string | null
}

/** One request to the HTTP API. @throws the answer is not as the server's own OpenAPI document says */
export async function api(
  server: ServerProcess,
  method: string,
  path: string,
  options: { token?: string; headers?: Record<string, string>; body?: string | Uint8Array } = {},
): Promise<ApiAnswer> {
  const { token, headers = {}, body } = options
  const response = await fetch(server.url + path, {
    method,
    headers: { ...(token !== undefined && { Authorization: `Bearer ${token}` }), ...headers },
    ...(body !== undefined && { body: body as BodyInit }),
  })
  const text = await response.text()
  const type = response.headers.get('content-type')
  const fault = (await OpenApi.of(server)).fault(method, path, response.status, type, text)
  if (fault !== null) throw new Error(fault)
  const isJSON = response.headers.get('content-type')?.startsWith('application/json') === true
  const code = isJSON && !response.ok ? JSON.parse(text).error.code : null
  return { status: response.status, headers: response.headers, text, code }
}

/** One request with JSON, as a program of the host makes it. */
export function callApi(server: ServerProcess, method: string, path: string, body?: object, token?: string) {
  return api(server, method, `/api/v1${path}`, {
    headers: { 'X-Requested-With': 'test', ...(body && { 'Content-Type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
    ...(token !== undefined && { token }),
  })
}

/** Puts Markdown. */
export function putMarkdown(server: ServerProcess, name: string, body: string, token?: string): Promise<ApiAnswer> {
  const headers = { 'Content-Type': 'text/markdown' }
  return api(server, 'PUT', apiPath(name), { headers, body, ...(token !== undefined && { token }) })
}

/** A request with headers that `fetch` writes itself: `Host`. */
export function rawStatus(server: ServerProcess, path: string, headers: Record<string, string>, localAddress?: string) {
  return within(
    'an answer',
    new Promise<number>((resolve, reject) => {
      const options = { host: '127.0.0.1', port: server.port, path, headers, ...(localAddress && { localAddress }) }
      const asked = request(options, response => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
      asked.on('error', reject)
      asked.end()
    }),
  )
}
