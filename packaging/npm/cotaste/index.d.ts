/** The path for SQLite's loadExtension(). Throws when there is no library for this platform. */
export function getLoadablePath(): string

/** Loads the extension into a better-sqlite3 or node:sqlite database. */
export function load(database: { loadExtension(path: string): unknown }): void
