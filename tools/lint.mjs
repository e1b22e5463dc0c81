// Rules that no compiler knows: files that grew too long, casts that narrow outside base/num.h, stray
// debugging output, addresses and machine paths, long lines.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' }).split('\n').filter(Boolean);
let bad = 0;
/** @param {string} file @param {number} line @param {string} rule */
const report = (file, line, rule) => {
  bad++;
  console.error(`${file}:${line}: ${rule}`);
};

const generated = (/** @type {string} */ f) => /_tables?\.|\.gen\./.test(f);
for (const file of files.filter((f) => /\.(c|h|m?js|wgsl)$/.test(f) && !generated(f))) {
  const lines = readFileSync(file, 'utf8').split('\n');
  const library = file.startsWith('src/');
  if (lines.length > 1501) report(file, 1501, 'more than 1,500 lines');
  let table = false; // between clang-format off and on
  lines.forEach((line, i) => {
    if (/clang-format (off|on)/.test(line)) table = line.includes('clang-format off');
    if (/\.[ch]$/.test(file) && !table && [...line].length > 100) report(file, i + 1, 'more than 100 columns');
    if (/\t/.test(line)) report(file, i + 1, 'a tab');
    if (/\s$/.test(line)) report(file, i + 1, 'blanks at the end');
    if (library && /\b(printf|fprintf|abort|exit|assert)\s*\(/.test(line) && !/\*|\/\//.test(line)) report(file, i + 1, 'the library never prints, exits or asserts');
    if (library && /\b(malloc|calloc|realloc|free)\s*\(/.test(line) && !/^src\/(base\/mem\.c|wasm\/)/.test(file) && !/[>.]\s*free|\*/.test(line)) report(file, i + 1, 'allocate through struct qn_allocator');
    if (/\/(home|root|work|tmp)\//.test(line) && !/^tests\//.test(file)) report(file, i + 1, 'a path of one machine');
    if (/\b(TODO|FIXME|XXX)\b/.test(line) && file !== 'tools/lint.mjs') report(file, i + 1, 'a loose end');
    if (/\.innerHTML|\.outerHTML|insertAdjacentHTML|document\.write/.test(line) && /^(web|demo)\//.test(file) && !/^\s*(\/\/|\*)/.test(line)) report(file, i + 1, 'build DOM nodes instead');
  });
}
// The wasm modules' calling convention (Makefile) would lose parts of a union that passes by value. A value of the
// template language may: each member of its union fills the same eight bytes.
const sources = files.filter((f) => /^src\/.*\.[ch]$/.test(f) && !generated(f)).map((f) => ({ f, text: readFileSync(f, 'utf8') }));
const unions = sources.flatMap(({ text }) => [...text.matchAll(/^struct (\w+) \{\n[^]*?^\};/gm)].filter((m) => m[0].includes('union {')).map((m) => m[1]));
const named = unions.filter((name) => name !== 'qn_tval').join('|');
for (const { f, text } of sources)
  for (const m of text.matchAll(new RegExp(`(?:[(,]\\s*struct (?:${named}) \\w+\\s*[,)]|\\bstruct (?:${named}) \\w+\\()`, 'g')))
    report(f, text.slice(0, m.index).split('\n').length, 'a structure with a union by value');
console.log(bad ? `${bad} lines to mend` : 'lint: nothing to mend');
process.exitCode = bad ? 1 : 0;
