/** Hues that people get. Twelve are told apart; more are not. */
export const hueCount = 12

// Lightness and chroma of every person's colour (OKLCH): in front of white and of the dark page it has a contrast of at
// least 3:1 (carets), and white text on it at least 4.5:1 (labels, avatars). `color.test.ts` computes both.
const lightness = 0.55
const chroma = 0.15

/** One of `hueCount` hues from a person's id: the same on every device, without anybody keeping a table. */
export function hueIndexOf(id: string): number {
  // FNV-1a, 32 bits, with the finalizer of MurmurHash3: the ids of a room often differ in few bits.
  let hash = 0x811c9dc5
  for (let index = 0; index < id.length; index++) hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) % hueCount
}

/** A person's colour, `#rrggbb`: the only form that every Yjs editor understands in awareness. */
export function colorOf(id: string): string {
  return colorOfHue(hueIndexOf(id))
}

/** The colour of one of the hues. The first is at 15°, so that none is the pure red of an error. */
export function colorOfHue(hueIndex: number): string {
  return oklchToHex(lightness, chroma, 15 + (360 / hueCount) * hueIndex)
}

/**
 * sRGB of an OKLCH colour, with as much of its chroma as sRGB has at that lightness and hue.
 * Björn Ottosson, "A perceptual color space for image processing" (2020).
 */
export function oklchToHex(l: number, c: number, hueDegrees: number): string {
  const hue = (hueDegrees * Math.PI) / 180
  for (let scale = 1; ; scale -= 0.02) {
    const linear = oklabToLinear(l, c * scale * Math.cos(hue), c * scale * Math.sin(hue))
    const isInside = linear.every(channel => channel >= -0.0005 && channel <= 1.0005)
    if (isInside || scale <= 0) return `#${linear.map(toByte).join('')}`
  }
}

function oklabToLinear(lightness: number, a: number, b: number): [number, number, number] {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ]
}

function toByte(linear: number): string {
  const clamped = Math.min(Math.max(linear, 0), 1)
  const encoded = clamped <= 0.0031308 ? clamped * 12.92 : 1.055 * clamped ** (1 / 2.4) - 0.055
  return Math.round(encoded * 255)
    .toString(16)
    .padStart(2, '0')
}

const hexColor = /^#[0-9a-f]{6}$/i

/** Whether a colour that somebody's awareness names can be used; anything else could be any text. */
export function isHexColor(color: unknown): color is string {
  return typeof color === 'string' && hexColor.test(color)
}

/** Relative luminance of WCAG 2.2, 0 to 1. */
export function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map(start => {
    const channel = Number.parseInt(hex.slice(start, start + 2), 16) / 255
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

/** Contrast of WCAG 2.2, 1 to 21. */
export function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (light + 0.05) / (dark + 0.05)
}

/** White if that can be read on `background` (4.5:1), or else whichever of white and black contrasts more. */
export function textColorOn(background: string): '#ffffff' | '#000000' {
  const white = contrast(background, '#ffffff')
  return white >= 4.5 || white >= contrast(background, '#000000') ? '#ffffff' : '#000000'
}
