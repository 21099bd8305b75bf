/** What an upload is, by its bytes. */
export interface UploadType {
  /** Ends its name. */
  readonly extension: string
  readonly mediaType: string
  /** Whether a page may show it: all else is only ever downloaded. SVG is a document with scripts, and no image here. */
  readonly isImage: boolean
}

const types = {
  png: { extension: 'png', mediaType: 'image/png', isImage: true },
  jpg: { extension: 'jpg', mediaType: 'image/jpeg', isImage: true },
  gif: { extension: 'gif', mediaType: 'image/gif', isImage: true },
  webp: { extension: 'webp', mediaType: 'image/webp', isImage: true },
  avif: { extension: 'avif', mediaType: 'image/avif', isImage: true },
  pdf: { extension: 'pdf', mediaType: 'application/pdf', isImage: false },
  bin: { extension: 'bin', mediaType: 'application/octet-stream', isImage: false },
} as const satisfies Record<string, UploadType>

/** The signatures of https://mimesniff.spec.whatwg.org/#image-type-pattern-matching-algorithm, AVIF's and PDF's. */
export function sniffType(bytes: Uint8Array): UploadType {
  const text = (from: number, to: number) => Buffer.from(bytes.subarray(from, to)).toString('latin1')
  if (text(0, 8) === '\x89PNG\r\n\x1a\n') return types.png
  if (text(0, 3) === '\xff\xd8\xff') return types.jpg
  if (text(0, 6) === 'GIF87a' || text(0, 6) === 'GIF89a') return types.gif
  if (text(0, 4) === 'RIFF' && text(8, 14) === 'WEBPVP') return types.webp
  // A box `ftyp` of ISO/IEC 14496-12: its major brand, or one of those that it is compatible with.
  if (text(4, 8) === 'ftyp') {
    const brands = text(8, Math.min(Buffer.from(bytes.subarray(0, 4)).readUInt32BE(), 256)).match(/.{4}/gsu) ?? []
    if (brands.some(brand => brand === 'avif' || brand === 'avis')) return types.avif
  }
  if (text(0, 5) === '%PDF-') return types.pdf
  return types.bin
}

/** The type that a name of an upload says: the server gave it that name. Null: none of ours. */
export function typeOfName(file: string): UploadType | null {
  const extension = file.slice(file.lastIndexOf('.') + 1)
  return Object.values<UploadType>(types).find(type => type.extension === extension) ?? null
}
