'use strict'
// node-pg and better-sqlite3. Usage: check.js EXPECTED SQLITE_FILE EXTENSION PG_HOST
const fs = require('fs')
const path = require('path')

const [expectedFile, file, extension, host] = process.argv.slice(2)
const expected = JSON.parse(fs.readFileSync(expectedFile))
const uuids = ['6f1f4a44-3c61-4ee5-a5a4-2d4d13b2a6f1', '0b7a7e52-9f0f-4b6c-8d4e-5a4c3b2a1908']
/** What was checked of each client, in order. */
const clients = new Map()

function check(client, what, got, wanted) {
  if (!clients.has(client)) clients.set(client, [])
  const equal = JSON.stringify(got) === JSON.stringify(wanted)
  clients.get(client).push(equal ? null : `${what}: ${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`)
}

/** `query(sql, parameters)` gives rows as arrays; sql has {0}, {1}, ... where the parameters go. */
async function ask(client, query) {
  const pair = async (what, a, b) => check(client, what, (await query('select user_similarity({0}, {1})', [a, b]))[0][0], expected[what])
  await pair('text ids', 'ann', 'bob')
  await pair('integer ids', 1, 2)
  await pair('uuid ids', ...uuids)
  for (let i = 0; i < 12; i += 1) await pair('text ids', 'ann', 'bob')
  check(client, 'NULL', (await query('select user_similarity(null, {0})', ['bob']))[0][0], null)
  const content = (await query('select total_views, average_rating, unique_users from content_metrics where content_id = {0}', [550]))[0]
  check(client, 'a view by key', content.map(Number), expected.content)
  const unrated = (await query('select average_rating from content_metrics where content_id = {0}', [13]))[0]
  check(client, 'a NULL in a view', unrated, [null])
  const alike = await query('select user_id, rank from similar_users({0}, {1}) order by rank', ['ann', 3])
  check(client, 'rows of a function', alike.map(([user, rank]) => [user, Number(rank)]), expected.alike)
  const variants = await query('select variant, users from experiment_results where experiment = {0} order by variant', ['ranker'])
  check(client, 'a view of experiments', variants.map(([variant, users]) => [variant, Number(users)]), expected.variants)
}

async function sqlite() {
  const Database = require('better-sqlite3')
  const own = path.join(path.dirname(file), 'node.db')
  fs.copyFileSync(file, own)
  const database = new Database(own)
  database.loadExtension(extension)
  await ask('better-sqlite3', (sql, parameters) => {
    const text = sql.replace(/\{\d\}/g, '?')
    return database.prepare(text).raw().all(...parameters)
  })
  const columns = database.pragma('table_info(content_metrics)').map((column) => column.name)
  check('better-sqlite3', 'columns of a view', columns.includes('trending_score'), true)
  const readonly = new Database(own, { readonly: true })
  readonly.loadExtension(extension)
  check('better-sqlite3', 'read-only: reads', readonly.prepare("select user_similarity('ann', 'bob')").pluck().get(), expected['text ids'])
  let message = 'written'
  try {
    readonly.prepare("select record_behavior('ann', 680, 'view')").get()
  } catch (error) {
    message = error.message
  }
  check('better-sqlite3', `read-only: a write is refused (${message})`, message.includes('readonly'), true)
}

async function postgres() {
  const { Client } = require('pg')
  const client = new Client({ host, user: 'postgres', database: 'clients' })
  await client.connect()
  await ask('node-pg', async (sql, parameters) => {
    const text = sql.replace(/\{(\d)\}/g, (_, i) => `$${Number(i) + 1}`)
    return (await client.query({ text, values: parameters, rowMode: 'array' })).rows
  })
  const named = { name: 'pair', text: 'select user_similarity($1, $2)', values: ['ann', 'bob'], rowMode: 'array' }
  for (let i = 0; i < 8; i += 1) check('node-pg', 'a named statement', (await client.query(named)).rows[0][0], expected['text ids'])
  // bigint arrives as a string, which holds any of them.
  const counts = (await client.query('select total_views from content_metrics where content_id = 550')).rows[0].total_views
  check('node-pg', 'bigint is a string', counts, String(expected.content[0]))
  await client.query('begin read only')
  let message = 'written'
  try {
    await client.query("select record_behavior('ann', 680, 'view')")
  } catch (error) {
    message = error.message
  }
  check('node-pg', `read-only: a write is refused (${message})`, message.includes('read-only'), true)
  await client.query('rollback')
  await client.end()
}

async function main() {
  for (const client of [sqlite, postgres]) {
    try {
      await client()
    } catch (error) {
      check(client.name, 'runs to its end', error.message, null)
    }
  }
  for (const [client, found] of clients) {
    const wrong = found.filter((why) => why !== null)
    console.log(wrong.length ? `FAILED ${client}: ${wrong.join('; ')}` : `ok ${client}: ${found.length} checks`)
    if (wrong.length) process.exitCode = 1
  }
}
main()
