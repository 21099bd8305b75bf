/**
 * What one update or state vector may contain. Plain values: they travel to workers.
 * The defaults are those of the threat model; a deployment changes them through its configuration.
 */
export interface UpdateLimits {
  /** Structs in one update. Default 2 000 000: a document of 1 500 blocks and 50 tables has 60 000. */
  readonly maxStructs: number
  /** Client ids in one update, delete set or state vector. Default 100 000, as many as a document may have. */
  readonly maxClients: number
  /** Different names of root types in one update. Default 16. */
  readonly maxRootNames: number
  /** Types within types that one update brings. Default 100: deleting a type recurses once per level. */
  readonly maxNesting: number
  /** Levels of objects and arrays in one JSON value. Default 32. */
  readonly maxJsonDepth: number
  /** The only root names allowed, or null for any. Default null. */
  readonly allowedRootNames: ReadonlySet<string> | null
}

export const DEFAULT_UPDATE_LIMITS: UpdateLimits = {
  maxStructs: 2_000_000,
  maxClients: 100_000,
  maxRootNames: 16,
  maxNesting: 100,
  maxJsonDepth: 32,
  allowedRootNames: null,
}

/** The settings of these limits. */
export interface UpdateLimitSettings {
  readonly maxUpdateStructs: number
  readonly maxUpdateRootNames: number
  /** Empty: any. */
  readonly rootNames: readonly string[]
  readonly maxUpdateNesting: number
  readonly maxJsonLevels: number
  readonly maxDocumentClients: number
}

/** The limits that the settings say. */
export function updateLimitsOf(settings: UpdateLimitSettings): UpdateLimits {
  return {
    ...DEFAULT_UPDATE_LIMITS,
    maxClients: settings.maxDocumentClients,
    maxStructs: settings.maxUpdateStructs,
    maxRootNames: settings.maxUpdateRootNames,
    maxNesting: settings.maxUpdateNesting,
    maxJsonDepth: settings.maxJsonLevels,
    allowedRootNames: settings.rootNames.length === 0 ? null : new Set(settings.rootNames),
  }
}

/** For what the log holds already: it was checked when it came in, and the sum of it may be larger than one update may. */
export const NO_LIMITS: UpdateLimits = {
  maxStructs: Number.MAX_SAFE_INTEGER,
  maxClients: Number.MAX_SAFE_INTEGER,
  maxRootNames: Number.MAX_SAFE_INTEGER,
  maxNesting: Number.MAX_SAFE_INTEGER,
  maxJsonDepth: Number.MAX_SAFE_INTEGER,
  allowedRootNames: null,
}
