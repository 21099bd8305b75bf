/** A refusal in words: what happened, and what to do. That the text is safe is said beside it, where it is true. */
export interface RefusalText {
  /** Goes on after "Can’t save: " or "Not connected: ". */
  short: string
  title: string
  advice: string
}

/** What a final close code (4400 to 4499) and the word of its reason mean to a person. */
export function refusalText(code: number, word: string, reason: string): RefusalText {
  switch (code) {
    case 4400:
      return {
        short: 'the server couldn’t read the edits of this page',
        title: 'The server couldn’t read what this page sent',
        advice: 'Reload the page. If it happens again, tell whoever runs this server.',
      }
    case 4401:
      if (reason.includes('expired')) {
        return {
          short: 'your access has expired',
          title: 'Your access has expired',
          advice: 'Open the document from the link that you were given, or ask for a new one.',
        }
      }
      if (reason.includes('revoked')) {
        return {
          short: 'your access was taken back',
          title: 'Your access was taken back',
          advice: 'Ask whoever shared the document with you.',
        }
      }
      return {
        short: 'the server doesn’t know who you are',
        title: 'The server doesn’t know who you are',
        advice: 'Open the document from the link that you were given. If that doesn’t help, ask for a new one.',
      }
    case 4403:
      return {
        short: 'you don’t have the right',
        title: 'You don’t have the right to open this document',
        advice: 'Your link may be for another document. Ask whoever gave it to you.',
      }
    case 4404:
      if (word === 'bad-name') {
        return {
          short: 'this can’t be the name of a document',
          title: 'This can’t be the name of a document',
          advice: reason === '' ? 'Choose another name.' : `${sentence(reason)} Choose another name.`,
        }
      }
      return {
        short: 'the document was deleted',
        title: word === 'deleted' ? 'This document was deleted' : 'There is no such document',
        advice: 'Check the link, or ask whoever runs this server to restore it.',
      }
    case 4413:
      return {
        short: 'the document is at its size limit',
        title: 'The document is at its size limit',
        advice: 'Copy what you need to another document.',
      }
    default:
      return {
        short: reason === '' ? `the server refuses this document (${code})` : reason,
        title: 'The server refuses this document',
        advice: reason === '' ? `It gave no reason (${code}).` : sentence(reason),
      }
  }
}

function sentence(text: string): string {
  const trimmed = text.trim().replace(/\.$/, '')
  return `${trimmed.charAt(0).toUpperCase()}${trimmed.slice(1)}.`
}
