// Top-10 with every set in the memory of a Node process: `node node_top.js SETS SAMPLE`; a line `first budget_ms` is
// answered with milliseconds a user.
'use strict';
const fs = require('fs');
const readline = require('readline');

const bytes = fs.readFileSync(process.argv[2]);
const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
const sample = fs.readFileSync(process.argv[3], 'utf8').split('\n').map(Number);
const [users, contents, genres] = words;
const starts = words.subarray(3, 4 + users);
const total = starts[users];
const items = words.subarray(4 + users, 4 + users + total);
const at = bytes.byteOffset + 4 * (4 + users + total);
const weights = new Float32Array(bytes.buffer, at, users * genres);
const mine = new Uint8Array(contents);

function top(user) {
  for (let i = starts[user]; i < starts[user + 1]; i++) mine[items[i]] = 1;
  const size = starts[user + 1] - starts[user];
  const best = [];
  let least = 0;
  for (let other = 0; other < users; other++) {
    if (other === user) continue;
    let shared = 0;
    for (let i = starts[other]; i < starts[other + 1]; i++) shared += mine[items[i]];
    const union = size + starts[other + 1] - starts[other] - shared;
    let cosine = 0;
    for (let g = 0; g < genres; g++) cosine += weights[user * genres + g] * weights[other * genres + g];
    const score = 0.7 * (union ? shared / union : 0) + 0.3 * cosine;
    if (score > least) {
      let place = best.length;
      while (place > 0 && best[place - 1][0] < score) place--;
      best.splice(place, 0, [score, other]);
      if (best.length > 10) best.pop();
      if (best.length === 10) least = best[9][0];
    }
  }
  for (let i = starts[user]; i < starts[user + 1]; i++) mine[items[i]] = 0;
  return best;
}

console.log('ready');
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const [first, budget] = line.split(' ').map(Number);
  const begun = performance.now();
  const times = [];
  for (let i = 0; i < sample.length; i++) {
    const start = performance.now();
    top(sample[(first + i) % sample.length]);
    times.push(performance.now() - start);
    if (performance.now() - begun > budget) break;
  }
  console.log(times.join(' '));
});
