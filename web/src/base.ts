// Apart from the call below: `vite` would take the two together for the address of a file to build.
const thisFile = import.meta.url

/**
 * The path under which this page's server is: `/`, or what a proxy puts before it, `/weft/`. One build works everywhere,
 * because it asks where it was loaded from: built files are in `assets` below the base, sources (`npm run dev`) in `src`.
 */
export const base = new URL('..', thisFile).pathname
