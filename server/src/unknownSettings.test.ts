import { expect, it } from 'vitest'
import { describeSettings } from './describeSettings.ts'
import { unknownSettings } from './unknownSettings.ts'

it.each([
  ['WEFT_PROT', 'is WEFT_PORT meant?'],
  ['WEFT_LOGLEVEL', 'is WEFT_LOG_LEVEL meant?'],
  ['WEFT_AUTH_SECRET_FIEL', 'is WEFT_AUTH_SECRET_FILE meant?'],
  ['WEFT_MAX_CONECTIONS', 'is WEFT_MAX_CONNECTIONS meant?'],
  ['WEFT_PASSWORD', '--help lists them all'],
])('%s has no effect: %s', (name, hint) => {
  expect(unknownSettings({ [name]: 'hidden' })).toEqual([`${name} is no setting of Weft, and has no effect: ${hint}`])
})

it('knows every setting, and what is none of the server’s', () => {
  const known = describeSettings().map(({ env }) => env)
  const others = ['WEFT_URL', 'WEFT_TOKEN', 'WEFT_SERVICE_HOST', 'WEFT_PORT_9091_TCP_ADDR', 'PATH', 'MY_WEFT_PORT']
  expect(unknownSettings(Object.fromEntries([...known, ...others].map(name => [name, 'x'])))).toEqual([])
})
