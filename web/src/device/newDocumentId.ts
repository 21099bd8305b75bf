// Short, unlike each other, easy to spell and to say on the telephone.
const adjectives =
  'amber ashen autumn blue bold brave bright brisk broad calm clear cobalt cool copper coral crimson crisp dawn deep dewy early east fair far fern fine first fond fresh gentle glad golden grand green hazel high honest hushed indigo ivory jade keen kind late leaf light lilac linen little lively lofty long lunar maple mellow mild misty mossy neat new noble north oaken olive open pale pearl plain plum proud quick quiet rapid rare rosy ruby russet sandy satin serene shady sharp silent silver slate slow small smooth snowy soft solar south spare spring steady still stone sunny swift tall teal tender tidal tidy true velvet vivid warm west white wide wild winter wise young'.split(
    ' ',
  )
const nouns =
  'acorn alder anchor apple arch aspen atlas badger bay beacon beech birch bloom breeze brook canyon cedar cherry cliff cloud clover coast comet cove crane creek daisy delta dune echo elm ember falcon fern field finch fjord flint forest garden glade grove harbor hazel heron hill holly inlet iris island ivy juniper kestrel lake lantern larch lark laurel lemon lily linden loom lotus maple marsh meadow mill moon moss mountain oak ocean olive orchard otter owl path peak pebble pine plain planet plum pond poppy quail quarry rain raven reed ridge river robin rose sage sail shore sky snow sparrow spring spruce star stream summit swallow thistle thread tide trail valley wave weaver willow wind wren'.split(
    ' ',
  )
// Without 0, 1, i, l, o, u: nothing to mistake, no words by accident. 30 letters.
const letters = '23456789abcdefghjkmnpqrstvwxyz'

/** Letters at the end: 30 ** 8 is 39 bits; with the words 52. A link is what opens a document where there are no tokens. */
const letterCount = 8

/**
 * A name for a new document that a person can read and nobody guesses: `quiet-heron-7k3f9xvm`.
 * @param randomBelow an unbiased whole number from 0 to below its argument.
 */
export function newDocumentId(randomBelow: (limit: number) => number = secureRandomBelow): string {
  const pick = (list: readonly string[] | string) => list[randomBelow(list.length)] ?? ''
  const tail = Array.from({ length: letterCount }, () => pick(letters)).join('')
  return `${pick(adjectives)}-${pick(nouns)}-${tail}`
}

function secureRandomBelow(limit: number): number {
  const range = 0x1_0000_0000
  const fair = range - (range % limit)
  const words = new Uint32Array(1)
  do crypto.getRandomValues(words)
  while ((words[0] ?? 0) >= fair)
  return (words[0] ?? 0) % limit
}
