// Each is an export of its own, and not a field of one object: a page's bundle holds only those that it names.

export const left = { code: 1000, word: 'left' } as const
export const brokenFrame = { code: 1002, word: 'broken-frame' } as const
export const text = { code: 1003, word: 'text' } as const
export const malformed = { code: 1007, word: 'malformed' } as const
export const policy = { code: 1008, word: 'policy' } as const
export const tooBig = { code: 1009, word: 'too-big' } as const
export const internal = { code: 1011, word: 'internal' } as const
export const restart = { code: 1012, word: 'restart' } as const
export const overload = { code: 1013, word: 'overload' } as const
export const repeatedlyMalformed = { code: 4400, word: 'repeatedly-malformed' } as const
export const unauthorized = { code: 4401, word: 'unauthorized' } as const
export const forbidden = { code: 4403, word: 'forbidden' } as const
export const badName = { code: 4404, word: 'bad-name' } as const
export const deleted = { code: 4404, word: 'deleted' } as const
export const tooLarge = { code: 4413, word: 'too-large' } as const
