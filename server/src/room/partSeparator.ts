/** Stands in names of documents that no URL can give: what is kept beside people's documents. */
export const PART_SEPARATOR = '\u001f'
