// Types 0 to 3: y-protocols 1.0.7 as y-websocket speaks it; 102: y-sweet's acknowledgement; from 110: ours.
// Each is an export of its own, and not a field of one object: a page's bundle holds only those that it names.

export const sync = 0
export const awareness = 1
export const auth = 2
export const queryAwareness = 3
/** A buffer that the server returns once everything before it is committed. */
export const ack = 102
/** Empty, from a client: "send me messages of Weft's own". Otherwise a buffer with an ephemeral message. */
export const ephemeral = 110
/** What has become of a client's ephemeral message: one for each, in order. */
export const receipt = 111
/** From the server, to those who announced themselves: varString, one of `accessNames`; again whenever it changes. */
export const access = 112
/** From a client: varString, a newer token of the same user in the place of the one before. Answered by `access`. */
export const token = 113
/**
 * In the multiplexed dialect, where the socket stays. From the server: varUint(close code) • varString(reason), this session has
 * ended. From a client, without a body: it leaves.
 */
export const closed = 114
/** From the server, to those who announced themselves: varString, one of `savingNames`; whenever it changes, and at first unless all is well. */
export const saving = 115
/** From the server, to those who announced themselves: varUint(one of `sizeStates`) • varUint(bytes) • varUint(limit); when it changes. */
export const size = 116
/**
 * varUint(version). From a client that is an editor bound to a schema: of which version that is; one that is older than the
 * server's may delete what it doesn't know, and is only read to. From the server, in answer: of which version its own is.
 */
export const editor = 117
