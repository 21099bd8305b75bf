import { expect, it } from 'vitest'
import { fromHTML } from './fromHTML.ts'
import { fromMarkdown } from './fromMarkdown.ts'
import { maxHTMLBytes, maxHTMLNodes, toHTML } from './html.ts'
import { toMarkdown } from './toMarkdown.ts'

const markdownOf = (html: string) => toMarkdown(fromHTML(html)).trimEnd()

it.each([
  ['nothing', '', ''],
  ['text without tags', 'a &amp; b &lt;i&gt;', 'a & b \\<i>'],
  ['tags that nobody closed', '<p>one<p>two <b>bold', 'one\n\ntwo **bold**'],
  ['a whole page', '<html><head><title>T</title></head><body class="x"><h2>Hi</h2></body></html>', '## Hi'],
  ['scripts and styles, which are left out', '<script>x</script><style>y</style><p>a</p>', 'a'],
  ['what the schema doesn’t have, as its text', '<section><article>a</article><u>b</u></section>', 'a\n\nb'],
  ['links: only safe ones', '<a href="javascript:x">j</a> <a href="https://a.b">k</a>', 'j [k](https://a.b)'],
  ['lists in lists', '<ul><li>a<ol><li>b</li></ol></li></ul>', '- a\n  1. b'],
  ['a table', '<table><tr><th>a</th></tr><tr><td>b</td></tr></table>', '| a |\n| --- |\n| b |'],
  ['code', '<pre><code class="language-js">a\n  b</code></pre>', '```js\na\n  b\n```'],
])('reads %s', (_what, html, markdown) => {
  expect(markdownOf(html)).toBe(markdown)
})

it('reads what `toHTML` writes', () => {
  const markdown =
    '# A\n\nb **c** *d* ~~e~~ `f` [g](https://h.i "j")\n\n- [x] k\n- [ ] l\n\n1. m\n2. n\n\n> o\n\n```ts\np\n```\n\n---\n\n![q](https://r.s)\n'
  expect(toMarkdown(fromHTML(toHTML(fromMarkdown(markdown))))).toBe(markdown)
})

it('refuses attributes that can’t be, and nesting without end', () => {
  expect(() => fromHTML('<table><tr><td colspan="100000000">a')).toThrow(/colspan must be/)
  expect(() => fromHTML('<blockquote>'.repeat(20_000))).toThrow(RangeError)
})

it('[threat E2] takes in so many bytes and nodes, and not one more', () => {
  expect(markdownOf(`<!--${'é'.repeat(maxHTMLBytes / 2 - 6)}--><p>a`)).toBe('a')
  expect(() => fromHTML(`<!--${'é'.repeat(maxHTMLBytes / 2 - 5)}--><p>a`)).toThrow(/up to 2097152 bytes/)
  expect(fromHTML('<p>a'.repeat(maxHTMLNodes / 2)).childCount).toBe(maxHTMLNodes / 2)
  expect(() => fromHTML('<p>a'.repeat(maxHTMLNodes / 2 + 1))).toThrow(/up to 20000 elements and texts/)
})

it('[threat E2] makes nothing of markup but what the schema has', () => {
  const hostile =
    '<p onclick="x()">a</p><iframe srcdoc="<script>x</script>">b</iframe><svg onload="x"><a>c</a></svg><object data="x">d</object>' +
    '<form action="x"><input name="body" value="e"></form><img src="javascript:x" onerror="x"><math><mtext><style><!--</style><img src onerror=x>'
  expect(toHTML(fromHTML(hostile))).not.toMatch(
    /onclick|onload|onerror|srcdoc|javascript|iframe|svg|object|form|input|style/,
  )
})
