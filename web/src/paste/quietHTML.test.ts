import { expect, it } from 'vitest'
import { quietHTML } from './quietHTML.ts'

it.each([
  ['plain text', 'a < b > c', 'a < b > c'],
  ['a style', '<p style="color: red">a</p>', '<p data-weft-style="color: red">a</p>'],
  ['what is named so', '<p title=" style=x " data-style="y">', '<p title=" style=x " data-style="y">'],
  ['a handler', "<img/onerror='x' OnLoad = y src=z>", "<img/data-weft-off='x' data-weft-off = y src=z>"],
  ['attributes without a blank between', '<p id="a"style="b">', '<p id="a"data-weft-style="b">'],
  ['a > within quotes', '<p title=">" style="a">b', '<p title=">" data-weft-style="a">b'],
  ['a sheet', 'a<STYLE media="x>">b { } <p></style >c', 'ac'],
  ['a sheet without end', 'a<style>b', 'a'],
  ['a tag without end', 'a<p style="x', 'a'],
  ['a comment', '<!-- <p> -->', '<!-- <p> -->'],
])('keeps browsers quiet about %s', (_what, html, quiet) => {
  expect(quietHTML(html)).toBe(quiet)
})

it('goes through once, whatever it is', () => {
  for (const part of ['<a ', '<a "', '<style', '<style>', '</style', '<\'"', '<a style= '])
    expect(quietHTML(part.repeat((2 << 20) / part.length)).length).toBeLessThan(6 << 20)
})
