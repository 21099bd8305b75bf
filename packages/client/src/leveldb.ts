export { levelStore } from './levelStore.ts'
