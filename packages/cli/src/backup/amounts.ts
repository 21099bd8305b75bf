const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB']

/** `1 document`, `2 documents`. */
export function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`
}

/** `812 bytes`, `3.4 MB`. */
export function sized(bytes: number): string {
  let unit = 0
  let value = bytes
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000
    unit++
  }
  return unit === 0 ? counted(bytes, 'byte') : `${value.toFixed(1)} ${UNITS[unit]}`
}

/** `2 sound, 1 damaged; files: 3 sound`. */
export function summaryOf(
  documents: Readonly<Record<string, number>>,
  files: Readonly<Record<string, number>>,
): string {
  const [ofDocuments, ofFiles] = [listed(documents), listed(files)]
  return `${ofDocuments === '' ? 'no documents' : ofDocuments}${ofFiles === '' ? '' : `; files: ${ofFiles}`}`
}

function listed(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).filter(([, count]) => count > 0)
  return parts.map(([state, count]) => `${count} ${state}`).join(', ')
}
