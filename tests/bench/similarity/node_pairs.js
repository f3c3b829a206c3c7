// user_similarity in an application: contents and genres of both users read with better-sqlite3, compared in Node.
// `node node_pairs.js DATABASE`; a line with a number of pairs is answered with that number, the seconds and the sum.
'use strict';
const readline = require('readline');
const Database = require('better-sqlite3');

const database = new Database(process.argv[2], { readonly: true });
database.pragma('cache_size = -262144');
const pairs = database.prepare('select a, b from pairs where n <= ?').raw();
const contents = database.prepare('select content_id from plain_items where user_id = ?').pluck();
const genres = database.prepare('select genre, weight from plain_genres where user_id = ?').raw();

function similarity(a, b) {
  const mine = new Set(contents.all(a));
  const theirs = contents.all(b);
  let shared = 0;
  for (const content of theirs) if (mine.has(content)) shared++;
  const union = mine.size + theirs.length - shared;
  const weights = new Map(genres.all(a));
  let cosine = 0;
  for (const [genre, weight] of genres.all(b)) cosine += weight * (weights.get(genre) ?? 0);
  return 0.7 * (union ? shared / union : 0) + 0.3 * cosine;
}

console.log('ready');
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const start = performance.now();
  let sum = 0;
  let done = 0;
  for (const [a, b] of pairs.iterate(Number(line))) {
    sum += similarity(a, b);
    done++;
  }
  console.log(done, (performance.now() - start) / 1000, sum);
});
