import { build } from 'vite'

/**
 * The code of a page for a browser.
 * @param source of its module
 * @param root where what it imports is looked up
 */
export async function bundlePage(source: string, root: string): Promise<string> {
  const result = await build({
    root,
    configFile: false,
    logLevel: 'error',
    plugins: [
      {
        name: 'page',
        resolveId: id => (id === 'page' ? '\0page' : null),
        load: id => (id === '\0page' ? source : null),
      },
    ],
    build: { write: false, rollupOptions: { input: 'page' } },
  })
  const [file] = Array.isArray(result) || !('output' in result) ? [] : result.output
  return file?.code ?? ''
}
