import { describe, expect, it } from 'vitest'
import { colorOf, colorOfHue, contrast, hueCount, hueIndexOf, isHexColor, oklchToHex, textColorOn } from './color.ts'

const hues = Array.from({ length: hueCount }, (_, index) => index)

describe('colours of people', () => {
  it('gives the same id the same colour, as #rrggbb', () => {
    expect(colorOf('ann')).toBe(colorOf('ann'))
    expect(hues.every(hue => isHexColor(colorOfHue(hue)))).toBe(true)
  })

  it('spreads ids over all hues', () => {
    const counts = new Map<number, number>()
    for (let id = 0; id < 1200; id++)
      counts.set(hueIndexOf(`user-${id}`), (counts.get(hueIndexOf(`user-${id}`)) ?? 0) + 1)
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual(hues)
    // 100 each is expected; with 1200 throws the standard deviation is 9.6.
    for (const count of counts.values()) expect(count).toBeGreaterThan(50)
  })

  it('has twelve different colours', () => {
    expect(new Set(hues.map(colorOfHue)).size).toBe(hueCount)
  })

  it('can be seen as a caret on the light and on the dark page', () => {
    for (const hue of hues) {
      expect(contrast(colorOfHue(hue), '#ffffff')).toBeGreaterThanOrEqual(3)
      expect(contrast(colorOfHue(hue), '#111110')).toBeGreaterThanOrEqual(3)
    }
  })

  it('can be read behind a name', () => {
    for (const hue of hues) {
      expect(textColorOn(colorOfHue(hue))).toBe('#ffffff')
      expect(contrast(colorOfHue(hue), '#ffffff')).toBeGreaterThanOrEqual(4.5)
    }
    expect(textColorOn('#ffe066')).toBe('#000000')
  })

  it('agrees with known colours of OKLCH', () => {
    // CSS Color 4, section 10: oklch(0.62796 0.25768 29.234) is red, lightness 1 is white, 0 is black.
    expect(oklchToHex(0.62796, 0.25768, 29.234)).toBe('#ff0000')
    expect(oklchToHex(1, 0, 0)).toBe('#ffffff')
    expect(oklchToHex(0, 0, 0)).toBe('#000000')
  })

  it('takes no other text for a colour', () => {
    for (const text of ['red', '#fff', '#12345g', 'url(x)', '#1234567', null, 3]) expect(isHexColor(text)).toBe(false)
  })
})
