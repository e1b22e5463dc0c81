// What a visitor downloads besides weights: the page, the library and one wasm module, gzipped.

import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';

/** @param {string} folder @returns {string[]} */
const walk = (folder) => readdirSync(folder).flatMap((name) => {
  const path = join(folder, name);
  return statSync(path).isDirectory() ? walk(path) : [path];
});

const groups = {
  'page (demo/)': walk('demo').filter((f) => /\.(html|css|js|svg|webmanifest)$/.test(f)),
  'library (web/)': walk('web').filter((f) => f.endsWith('.js')),
  'one wasm module': ['web/wasm/quern-relaxed.wasm'],
};
let sum = 0;
let sumBrotli = 0;
for (const [name, files] of Object.entries(groups)) {
  const raw = files.reduce((n, f) => n + statSync(f).size, 0);
  const gzip = files.reduce((n, f) => n + gzipSync(readFileSync(f), { level: 9 }).length, 0);
  const brotli = files.reduce((n, f) => n + brotliCompressSync(readFileSync(f)).length, 0);
  sum += gzip;
  sumBrotli += brotli;
  console.log(`${name.padEnd(18)} ${String(raw).padStart(8)} bytes, gzip ${String(gzip).padStart(7)}, brotli ${String(brotli).padStart(7)}`);
}
console.log(`all                gzip ${sum} (the limit is 307200), brotli ${sumBrotli}`);
process.exitCode = sum > 300 * 1024 ? 1 : 0;
