import type { LinkFailure } from '../device/guest.ts'

/** Why a link doesn't open its document, in words, and what to do. */
export function linkFailureText(failure: LinkFailure): { title: string; advice: string; canRetry: boolean } {
  switch (failure.why) {
    case 'unknown':
      return {
        title: 'This link doesn’t open anything',
        advice:
          'It was revoked, or a part of it is missing. Open it again from where you got it, or ask for a new one.',
        canRetry: false,
      }
    case 'expired':
      return {
        title: 'This link has expired',
        advice: 'Ask whoever gave it to you for a new one.',
        canRetry: false,
      }
    case 'used-up':
      return {
        title: 'This link was used as often as it may be',
        advice: 'Ask whoever gave it to you for a new one.',
        canRetry: false,
      }
    case 'too-fast':
      return {
        title: 'Too many links were tried',
        advice: `Too many that don’t work came from your network. Wait ${waitText(failure.seconds)}, then try again.`,
        canRetry: true,
      }
    case 'no-keys':
      return {
        title: 'This server knows no links',
        advice: 'It asks nobody who they are. Ask for the address of the document itself.',
        canRetry: false,
      }
    case 'unreachable':
      return {
        title: 'The server can’t be reached',
        advice: 'Check the connection, then try again. The link is still good.',
        canRetry: true,
      }
    case 'other':
      return {
        title: 'The link could not be opened',
        advice: `The server refused it (${failure.status}). Try again in a moment; if that doesn’t help, tell whoever runs it.`,
        canRetry: true,
      }
  }
}

function waitText(seconds: number): string {
  if (seconds > 90) return `${Math.ceil(seconds / 60)} minutes`
  return seconds === 1 ? '1 second' : `${seconds} seconds`
}
