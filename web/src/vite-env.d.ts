/// <reference types="vite/client" />

/** A Lucide icon's shapes: `[tag, attributes]` (vite.config.ts, `iconNodes`). */
declare module '*.svg?nodes' {
  const nodes: [tag: string, attributes: Record<string, string>][]
  export default nodes
}
