#!/usr/bin/env node
// Builds the page and serves it beside a running server, to which everything else goes that comes here: sockets, and the editor.
//
//     npm run examples

import { env } from 'node:process'
import { fileURLToPath } from 'node:url'
import { build, preview } from 'vite'

const HOST = '127.0.0.1'
const port = Number(env.WEFT_EXAMPLES_PORT || 9093)
const server = env.WEFT_URL || `http://${env.WEFT_HOST || HOST}:${env.WEFT_PORT || 9091}`

const page = {
  root: fileURLToPath(new URL('.', import.meta.url)),
  configFile: false,
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    target: 'es2022',
    assetsDir: 'page',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
  },
  preview: {
    host: HOST,
    port,
    strictPort: true,
    // As strict as that of the server's own pages.
    headers: {
      'Content-Security-Policy':
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' https: data:; connect-src 'self'",
    },
    proxy: {
      '^/(?!$|[?]|index\\.html|page/)': { target: server, ws: true, changeOrigin: true, rewriteWsOrigin: true },
    },
  },
}

await build({ ...page, logLevel: 'error' })
// A socket that breaks is no news here.
await preview({ ...page, logLevel: 'silent' })
console.log(`The examples are at http://${HOST}:${port}, beside the server at ${server}`)
