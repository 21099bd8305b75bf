import { ByteWriter } from './ByteWriter.ts'

/** Yjs' struct header: the content is a string (4); 128: an origin follows. Source: yjs 13, `Item.write`. */
const STRING = 4
const HAS_ORIGIN = 128
/** The parent is a root type, told by its name. */
const IS_ROOT_NAME = 1

const writer = new ByteWriter()

/**
 * The update that Yjs makes when somebody types at the end of a `Y.Text` that is theirs:
 * `1 client • 1 struct • clientID • clock • info • origin or parent • string • no deletions`.
 * @param root name of the `Y.Text`, told with the first characters only
 * @param clock characters typed before
 * @param text ASCII
 */
export function encodeTypedUpdate(clientID: number, root: string, clock: number, text: Uint8Array): Buffer {
  writer.clear().varUint(1).varUint(1).varUint(clientID).varUint(clock)
  if (clock === 0) writer.byte(STRING).varUint(IS_ROOT_NAME).varString(root)
  else
    writer
      .byte(STRING | HAS_ORIGIN)
      .varUint(clientID)
      .varUint(clock - 1)
  return writer.varBytes(text).varUint(0).take()
}
