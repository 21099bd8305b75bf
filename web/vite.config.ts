import { readFileSync } from 'node:fs'
import { defineConfig, type Plugin } from 'vite'

/** `import nodes from 'lucide-static/icons/bold.svg?nodes'`: an icon's shapes as data, so that no page parses markup. */
function iconNodes(): Plugin {
  return {
    name: 'weft-icon-nodes',
    enforce: 'pre',
    load(id) {
      const [path, query] = id.split('?')
      if (query !== 'nodes' || path === undefined) return null
      const svg = readFileSync(path, 'utf8')
      const nodes = [...svg.matchAll(/<(path|circle|rect|line|polyline|polygon|ellipse)\s([^>]*?)\/>/g)].map(
        ([, tag, attributes = '']) => [
          tag,
          Object.fromEntries([...attributes.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [name, value])),
        ],
      )
      if (nodes.length === 0) throw new Error(`${path} holds no shape`)
      return `export default ${JSON.stringify(nodes)}`
    },
  }
}

/**
 * Puts `src/themeOnLoad.js` into the head as a classic script of its own: it has to run before the first paint, which
 * modules don't, and an inline script is what the server's content security policy forbids.
 */
function themeOnLoad(): Plugin {
  const source = () => readFileSync(new URL('src/themeOnLoad.js', import.meta.url), 'utf8')
  let isBuild = false
  let reference = ''
  return {
    name: 'weft-theme-on-load',
    configResolved(config) {
      isBuild = config.command === 'build'
    },
    buildStart() {
      if (isBuild) reference = this.emitFile({ type: 'asset', name: 'themeOnLoad.js', source: source() })
    },
    transformIndexHtml: {
      order: 'post',
      handler(_html, { bundle }) {
        if (!isBuild) return [{ tag: 'script', children: source(), injectTo: 'head-prepend' }]
        const asset = Object.values(bundle ?? {}).find(file => file.fileName === fileNameOf(reference))
        if (asset === undefined) throw new Error('themeOnLoad.js is not in the bundle')
        return [{ tag: 'script', attrs: { src: `./${asset.fileName}` }, injectTo: 'head-prepend' }]
      },
    },
    generateBundle() {
      fileNames.set(reference, this.getFileName(reference))
    },
  }
}

const fileNames = new Map<string, string>()
const fileNameOf = (reference: string) => fileNames.get(reference)

/** Where `vite` (watching) sends WebSockets: the Weft server of `npm run dev`. */
const server = `ws://${process.env.WEFT_HOST ?? '127.0.0.1'}:${process.env.WEFT_PORT ?? '9091'}`

export default defineConfig({
  root: import.meta.dirname,
  // Nothing knows the path under which a proxy serves it: files name each other relatively, and src/base.ts asks.
  base: './',
  plugins: [iconNodes(), themeOnLoad()],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    // A font or an image in a `data:` address is one that the content security policy has to allow.
    assetsInlineLimit: 0,
    sourcemap: true,
    chunkSizeWarningLimit: 700,
  },
  server: {
    // Every other path is a document's.
    hmr: { path: '@vite/reload' },
    proxy: {
      '^/(?!@vite/)': {
        target: server,
        ws: true,
        bypass: request => (request.headers.upgrade ? undefined : request.url),
      },
    },
  },
})
