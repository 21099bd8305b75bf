/**
 * Of the schema: higher with each node, mark or attribute that an editor made before would delete, for it doesn't know it. Editors
 * tell it to the server (`PROTOCOL.md`, message 117), and an older one than the server's only shows documents.
 */
export const SCHEMA_VERSION = 1
