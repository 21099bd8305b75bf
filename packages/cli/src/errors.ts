/** The command can't do what it was asked: printed as one line, exit code 1. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}

/** The command was called in a wrong way: printed as one line, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
