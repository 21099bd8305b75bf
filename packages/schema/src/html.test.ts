import { describe, expect, it } from 'vitest'
import { toHTML } from './html.ts'
import { fromJSON } from './json.ts'
import { schema } from './schema.ts'

const text = (text: string, ...marks: object[]) => ({ type: 'text', text, marks })
const block = (type: string, ...content: object[]) => ({ type, content })
const html = (...content: object[]) => toHTML(fromJSON({ type: 'doc', content }))

describe('toHTML', () => {
  it('renders blocks and nests marks', () => {
    const bold = { type: 'bold' }
    const italic = { type: 'italic' }
    expect(
      html(
        block(
          'paragraph',
          text('a', bold),
          text('b', bold, italic),
          text('c', italic),
          { type: 'hardBreak' },
          text('d'),
        ),
      ),
    ).toBe('<p><strong>a<em>b</em></strong><em>c</em><br>d</p>')
    expect(html({ type: 'heading', attrs: { level: 2 } }, { type: 'horizontalRule' })).toBe('<h2></h2><hr>')
    expect(html({ type: 'codeBlock', attrs: { language: 'js' }, content: [text('1 < 2\n')] })).toBe(
      '<pre><code class="language-js">1 &lt; 2\n</code></pre>',
    )
  })

  it('renders lists and tables', () => {
    expect(
      html({
        type: 'taskList',
        content: [{ type: 'taskItem', attrs: { checked: true }, content: [block('paragraph', text('t'))] }],
      }),
    ).toBe(
      '<ul data-type="taskList"><li data-checked="true" data-type="taskItem"><label><input type="checkbox" checked="checked"><span></span></label><div><p>t</p></div></li></ul>',
    )
    expect(
      html({ type: 'orderedList', attrs: { start: 3 }, content: [block('listItem', block('paragraph', text('t')))] }),
    ).toBe('<ol start="3"><li><p>t</p></li></ol>')
    const cell = { type: 'tableCell', attrs: { colspan: 2, align: 'right' }, content: [block('paragraph')] }
    expect(html(block('table', block('tableRow', cell)))).toBe(
      '<table><tbody><tr><td colspan="2" rowspan="1" style="text-align: right"><p></p></td></tr></tbody></table>',
    )
  })

  it('[threat E3] escapes text and attributes', () => {
    expect(html(block('paragraph', text(`<script>alert("&'")</script>`)))).toBe(
      '<p>&lt;script&gt;alert(&quot;&amp;&#39;&quot;)&lt;/script&gt;</p>',
    )
    expect(html({ type: 'image', attrs: { src: 'x"y', alt: '"><script>' } })).toBe(
      '<img src="x&quot;y" alt="&quot;&gt;&lt;script&gt;">',
    )
    expect(html({ type: 'codeBlock', attrs: { language: '"><b>' } })).toBe(
      '<pre><code class="language-&quot;&gt;&lt;b&gt;"></code></pre>',
    )
  })

  it('[threat E1] renders only safe addresses, and never a class or target that a writer chose', () => {
    const linked = (href: string) =>
      html(block('paragraph', text('a', { type: 'link', attrs: { href, class: 'app-button', target: '_top' } })))
    expect(linked('https://a.b/?c="d"')).toBe(
      '<p><a target="_blank" rel="noopener noreferrer nofollow" href="https://a.b/?c=&quot;d&quot;">a</a></p>',
    )
    expect(linked('java\nscript:alert(1)')).toBe('<p><a target="_blank" rel="noopener noreferrer nofollow">a</a></p>')
    expect(html({ type: 'image', attrs: { src: 'data:image/svg+xml,x', alt: 'a' } })).toBe('<img alt="a">')
  })

  it('renders attributes that were not checked as something harmless', () => {
    const cell = schema.node('tableCell', { align: 'left; background: url(x)' }, schema.node('paragraph'))
    expect(toHTML(cell)).toBe('<td colspan="1" rowspan="1"><p></p></td>')
    expect(toHTML(schema.node('heading', { level: 'script' }))).toBe('<h1></h1>')
  })

  it('[threat E3] has no limit of nesting', () => {
    let node = schema.node('paragraph', null, schema.text('deep'))
    for (let level = 0; level < 20_000; level++) node = schema.nodes.blockquote?.create(null, node) ?? node
    expect(toHTML(node)).toContain('<blockquote><p>deep</p></blockquote>')
  })
})
