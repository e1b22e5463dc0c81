// What a visitor downloads besides weights, gzipped: the page and every module that it reaches by
// import, the engine's worker, and one wasm module – that of the CPU's backend or that of WebGPU's. As it is
// published, without comments and indentation, and as `make demo` serves it.

import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';

import { publish } from './publish.mjs';

const LIMIT = 300 * 1024;

/** The files and what they import, all the way. @param {string[]} files */
function reach(files) {
  const seen = new Set(files);
  for (const file of seen) {
    if (!file.endsWith('.js')) continue;
    for (const [, name] of readFileSync(file, 'utf8').matchAll(/(?:\bfrom|\bimport)\s*['"](\.\.?\/[\w./-]+\.js)['"]/g)) seen.add(normalize(join(dirname(file), name)));
  }
  return [...seen];
}

/** @param {string[]} files */
function weigh(files) {
  const sum = { raw: 0, gzip: 0, brotli: 0 };
  for (const file of files) {
    const bytes = readFileSync(file);
    sum.raw += bytes.length;
    sum.gzip += gzipSync(bytes, { level: 9 }).length;
    sum.brotli += brotliCompressSync(bytes).length;
  }
  return sum;
}

publish('build/site');
const all = reach(['demo/index.html', 'demo/style.css', 'demo/icon.svg', 'demo/main.js', 'demo/sw.js', 'demo/worker.js', 'web/worker.js', 'web/thread.js']);
const published = all.map((f) => join('build/site', f));
const page = weigh(published.filter((f) => f.startsWith('build/site/demo/')));
const library = weigh(published.filter((f) => f.startsWith('build/site/web/')));
const cpu = weigh(['web/wasm/quern-relaxed.wasm']);
const gpu = weigh(['web/wasm/quern-gpu.wasm']);
const line = (/** @type {string} */ name, /** @type {{ raw: number, gzip: number, brotli: number }} */ { raw, gzip, brotli }) =>
  console.log(`${name.padEnd(22)} ${String(raw).padStart(8)} bytes, gzip ${String(gzip).padStart(7)}, brotli ${String(brotli).padStart(7)}`);
line('page (demo/)', page);
line('library (web/)', library);
line('wasm module, CPU', cpu);
line('wasm module, WebGPU', gpu);
const module = Math.max(cpu.gzip, gpu.gzip);
const most = page.gzip + library.gzip + module;
console.log(`all, with the larger module: gzip ${most} (the limit is ${LIMIT}); from the tree, with comments: ${weigh(all).gzip + module}`);
process.exitCode = most > LIMIT ? 1 : 0;
