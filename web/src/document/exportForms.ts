// Loaded when somebody exports: the writers of Markdown and HTML stay out of what every page loads.
export { fromJSON, toHTML, toMarkdown } from '@weft/schema'
