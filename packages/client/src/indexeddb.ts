export { indexedDbStore } from './indexedDbStore.ts'
