// The older versions have types that `nodenext` doesn't find; what we use of them is the same.
declare module 'y-websocket-1' {
  export { WebsocketProvider } from 'y-websocket'
}
declare module 'y-websocket-2' {
  export { WebsocketProvider } from 'y-websocket'
}
