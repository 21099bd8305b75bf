/** How often tests repeat what is random: small counts in `npm test`, the counts that we promise in `npm run test:long`. */
export const isLong = process.env.WEFT_TEST_LONG === '1'

/** Longest time of a test that repeats itself so often, in ms; small counts on a machine that others use too take minutes. */
export const roundsTimeoutMs = isLong ? 45 * 60_000 : 180_000

/** The same of a test that computes without a pause, in ms: half a minute where nothing else does, and ten on a crowded machine. */
export const fuzzTimeoutMs = isLong ? 120 * 60_000 : 600_000

export const rounds = {
  /** Two windows, a bot and a plain client in one document, while the server is killed and a window goes offline. */
  realInput: isLong ? 20 : 1,
  /** An agent's calls at once, while a person types. */
  agentRounds: isLong ? 40 : 2,
  /** The server killed at a random moment while ten documents are written to. */
  kills: isLong ? 200 : 10,
  /** After at most so many messages. */
  messagesBeforeKill: isLong ? 6_000 : 1_500,
  /** The same with a document of several megabytes. */
  largeKills: isLong ? 20 : 4,
  /** The server killed before a commit, before its acknowledgement is heard, and at any moment, with Hocuspocus providers of each version. */
  providerKills: isLong ? 50 : 2,
  /** A program with a LevelDB store that edits, loses the server and is killed. */
  processKills: isLong ? 900 : 40,
  /** The same in tabs of Chromium; the tabs or the whole browser are killed. */
  tabKills: isLong ? 100 : 10,
  /** An editor and another client write at the same time, with `weft sync` between them. */
  syncs: isLong ? 200 : 20,
  /** Random replicas on one document of a real server. */
  realHistories: isLong ? 100 : 6,
  /** People, strangers, an administrator and faults in virtual time, without processes and sockets. */
  simulations: isLong ? 2_000 : 200,
  /** One random bit flipped per round and kind of file, in a copy of a store. */
  bitFlips: isLong ? 500 : 20,
  /** A log cut off at a random byte. */
  truncations: isLong ? 500 : 20,
  /** Two random documents, one made into the other on a shared document. */
  documentPairs: isLong ? 5_000 : 100,
  /** A random transform of a random document, while somebody else writes into it. */
  transforms: isLong ? 2_000 : 40,
  /** Random edits of several replicas, while somebody follows the text. */
  followedTexts: isLong ? 2_000 : 40,
  /** A random document written as Markdown and read again. */
  markdownRoundTrips: isLong ? 50_000 : 500,
  /** Changed messages that connections without sockets say to the server's parts, in virtual time. */
  fuzzedMessages: isLong ? 1_000_000 : 100_000,
  /** Changed frames on sockets of a started server. */
  fuzzedFrames: isLong ? 50_000 : 10_000,
  /** Changed HTTP requests to a started server. */
  fuzzedRequests: isLong ? 50_000 : 3_000,
  /** Changed updates, of each of which Yjs is asked what it makes of it. */
  fuzzedUpdates: isLong ? 10_000_000 : 200_000,
  /** Changed updates that meet the update check, and then several replicas. */
  updateMutations: isLong ? 200_000 : 5_000,
  /** Histories of honest replicas, 40 edits each. */
  honestHistories: isLong ? 1_000 : 60,
  /** The same on the real process, which starts on it. */
  processFlips: isLong ? 125 : 1,
  /** Calls of LevelDB that fail, one for each life of the server. */
  storeCalls: isLong ? 60 : 5,
  /** The disk of a server that writes, copied as it is without what the system has in memory. */
  powerCuts: isLong ? 20 : 2,
  /** How long a disk doesn't answer. */
  stallSeconds: isLong ? 30 : 3,
}
