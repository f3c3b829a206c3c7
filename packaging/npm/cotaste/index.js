'use strict'

/**
 * The path for SQLite's loadExtension(). The library is in the package of this platform, which npm installs beside this one.
 */
function getLoadablePath() {
  const name = `cotaste-${process.platform}-${process.arch}`
  const suffix = { darwin: 'dylib', win32: 'dll' }[process.platform] || 'so'
  try {
    return require.resolve(`${name}/cotaste0.${suffix}`)
  } catch (error) {
    throw new Error(
      `cotaste: the package ${name} is not installed. ` +
        'Either there is no build for this platform, or npm was told to leave optional dependencies out.',
      { cause: error }
    )
  }
}

/** Loads the extension into a better-sqlite3 or node:sqlite database. */
function load(database) {
  database.loadExtension(getLoadablePath())
}

module.exports = { getLoadablePath, load }
