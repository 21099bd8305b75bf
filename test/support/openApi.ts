import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import type { ServerProcess } from './ServerProcess.ts'

interface Operation {
  readonly operationId: string
  readonly responses: Record<string, { content?: Record<string, { schema?: object }> }>
}

export interface OpenApiDocument {
  readonly openapi: string
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: { readonly schemas: Record<string, object> }
}

const PREFIX = '/api/v1'
// Its types are CommonJS's: what is imported is the module.
const addFormats = formats as unknown as (ajv: Ajv2020) => void

/** What a server's `/api/v1/openapi.json` says, and whether answers are as it says. */
export class OpenApi {
  readonly document: OpenApiDocument
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true })
  readonly #validators = new Map<string, ValidateFunction>()
  static readonly #known = new WeakMap<ServerProcess, Promise<OpenApi>>()

  private constructor(document: OpenApiDocument) {
    this.document = document
    addFormats(this.#ajv)
  }

  static of(server: ServerProcess): Promise<OpenApi> {
    const known = OpenApi.#known.get(server)
    if (known !== undefined) return known
    const asked = fetch(`${server.url}${PREFIX}/openapi.json`).then(
      async response => new OpenApi(await response.json()),
    )
    OpenApi.#known.set(server, asked)
    return asked
  }

  /** What a request is in the document: the closest path that has its method; null: nothing. */
  #operationFor(method: string, path: string): Operation | null {
    const [bare = ''] = path.slice(PREFIX.length).split('?', 1)
    const templates = Object.keys(this.document.paths).filter(template => matcherOf(template).test(bare))
    templates.sort((a, b) => b.length - a.length)
    for (const template of templates) {
      const operation = this.document.paths[template]?.[operationOf(method)]
      if (operation !== undefined) return operation
    }
    return null
  }

  /** @returns what is wrong with an answer; null: it is as the document says */
  fault(method: string, path: string, status: number, type: string | null, text: string): string | null {
    // Before it is looked at what is asked for: a foreign origin, another host, a request that is none.
    if ([400, 403, 421, 431].includes(status) && type?.startsWith('text/plain')) return null
    const operation = this.#operationFor(method, path)
    // What isn't in the document must be refused.
    if (operation === null) {
      return [404, 405, 400].includes(status) ? null : `${method} ${path} is not described, and answers ${status}`
    }
    const answer = operation.responses[status]
    if (answer === undefined) return `${operation.operationId} answers ${status}, which is not described: ${text}`
    if (method === 'HEAD' || status === 304 || status === 204) return null
    const mediaType = type?.split(';', 1)[0] ?? ''
    const content = answer.content?.[mediaType] ?? (status < 300 ? answer.content?.['*/*'] : undefined)
    if (content === undefined)
      return `${operation.operationId} answers ${status} with ${mediaType}, which is not described`
    if (content.schema === undefined) return null
    const validate = this.#validatorOf(`${operation.operationId} ${status}`, content.schema)
    if (validate(JSON.parse(text)) === true) return null
    return `${operation.operationId} answers ${status} otherwise than described: ${this.#ajv.errorsText(validate.errors)}\n${text}`
  }

  #validatorOf(key: string, schema: object): ValidateFunction {
    const known = this.#validators.get(key)
    if (known !== undefined) return known
    // What it refers to (`#/components/…`) stands in the document.
    const validator = this.#ajv.compile({ ...schema, components: this.document.components })
    this.#validators.set(key, validator)
    return validator
  }
}

function operationOf(method: string): string {
  return method === 'HEAD' ? 'get' : method.toLowerCase()
}

/** A document's name has slashes; everything else is one segment. */
function matcherOf(template: string): RegExp {
  const source = template
    .replaceAll(/[.]/gu, '\\.')
    .replaceAll('{document}', '.+')
    .replaceAll(/\{\w+\}/gu, '[^/]+')
  return new RegExp(`^${source}$`, 'u')
}
