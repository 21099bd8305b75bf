import { WeftError } from '@weft/server/errors'
import { CommandError } from '../errors.ts'

/** Errors of stores and backups, in the words of the command. @throws {CommandError} and all others as they are */
export async function withCommandErrors<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof WeftError) throw new CommandError(`${what}: ${error.message}`, { cause: error })
    throw error
  }
}
