export { extensions, maxCellSpan } from './extensions.ts'
export { FRAGMENT_NAME, schema } from './schema.ts'
export { isSafeImage, isSafeLink } from './urls.ts'
