import type { Verb } from './Verb.ts'

/** The verbs, by name. Only the one that is called is loaded: some bring an editor's schema along, or a database. */
export const verbLoaders: Readonly<Record<string, () => Promise<Verb>>> = {
  serve: async () => (await import('./verbs/serve.ts')).serveVerb,
  ls: async () => (await import('./verbs/ls.ts')).lsVerb,
  cat: async () => (await import('./verbs/cat.ts')).catVerb,
  export: async () => (await import('./verbs/export.ts')).exportVerb,
  import: async () => (await import('./verbs/import.ts')).importVerb,
  append: async () => (await import('./verbs/append.ts')).appendVerb,
  replace: async () => (await import('./verbs/replace.ts')).replaceVerb,
  tail: async () => (await import('./verbs/tail.ts')).tailVerb,
  sync: async () => (await import('./verbs/sync.ts')).syncVerb,
  rm: async () => (await import('./verbs/rm.ts')).rmVerb,
  token: async () => (await import('./verbs/token.ts')).tokenVerb,
  link: async () => (await import('./verbs/link.ts')).linkVerb,
  backup: async () => (await import('./verbs/backup.ts')).backupVerb,
  restore: async () => (await import('./verbs/restore.ts')).restoreVerb,
  verify: async () => (await import('./verbs/verify.ts')).verifyVerb,
  repair: async () => (await import('./verbs/repair.ts')).repairVerb,
  mcp: async () => (await import('./verbs/mcp.ts')).mcpVerb,
  completion: async () => (await import('./verbs/completion.ts')).completionVerb,
}
