/**
 * - `connecting`: the first connection is being made, or one is open and the replica is not yet up to date;
 * - `synced`: this connection has brought everything that the server has, and brings what follows;
 * - `offline`: there is no connection; the next attempt comes by itself, unless `disconnect` was called;
 * - `refused`: the server has closed the document for good (close code 4400-4499).
 */
export type DocumentStatus = 'connecting' | 'synced' | 'offline' | 'refused'

/**
 * What happens to a document's connection.
 * - `opened`: a socket is open; `synced`: it has brought everything; `lost`: it is gone, or could not be made;
 * - `refused`: the server has closed it for good;
 * - `left`: `disconnect` or `close`; `resumed`: `reconnect`.
 */
export type LinkEvent = 'opened' | 'synced' | 'lost' | 'refused' | 'left' | 'resumed'

/**
 * The state machine. A document begins as `connecting`. What isn't possible leaves the status as it is: a refused document
 * has no connection that could open, sync or get lost.
 */
export const transitions: Readonly<Record<DocumentStatus, Readonly<Record<LinkEvent, DocumentStatus>>>> = {
  connecting: {
    opened: 'connecting',
    synced: 'synced',
    lost: 'offline',
    refused: 'refused',
    left: 'offline',
    resumed: 'connecting',
  },
  synced: {
    opened: 'connecting',
    synced: 'synced',
    lost: 'offline',
    refused: 'refused',
    left: 'offline',
    resumed: 'synced',
  },
  offline: {
    opened: 'connecting',
    synced: 'offline',
    lost: 'offline',
    refused: 'refused',
    left: 'offline',
    resumed: 'offline',
  },
  refused: {
    opened: 'refused',
    synced: 'refused',
    lost: 'refused',
    refused: 'refused',
    left: 'refused',
    resumed: 'offline',
  },
}
