// Turns the kernels into one C file: node tools/embed_wgsl.mjs OUT.c KERNEL.wgsl…
//
// In a kernel, a line `#include "name.wgsl"` is replaced by that file of the same folder (files named
// common_* are only for this), and `#params NAME` by the WGSL struct of that list in params.def. A text becomes a
// list of parts, what stands between such lines, so that what kernels share is there once. The parts
// lose comments, empty lines and the space that only people need, and names of variables, functions and
// members become short ones, the same everywhere. Also a module: expandKernel, with the names, for tests.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** WGSL struct of QN_PARAMS_`name`: members in order, of four bytes, or arrays of vectors. */
function paramsStruct(/** @type {string} */ definitions, /** @type {string} */ name) {
  const joined = definitions.replace(/\\\r?\n/g, ' ').replace(/\/\*[^]*?\*\//g, ' ');
  const list = joined.match(new RegExp(`#define QN_PARAMS_${name}\\(U, F(?:, V)?\\)([^\\n]*)`));
  if (!list) throw new Error(`params.def has no QN_PARAMS_${name}`);
  const members = [...list[1].matchAll(/\b([UFV])\((\w+)(?:, (\d+))?\)/g)];
  if (!members.length) throw new Error(`QN_PARAMS_${name} is empty`);
  const type = name.split('_').map((w) => w[0] + w.slice(1).toLowerCase()).join('');
  return `struct ${type} {\n${members.map(([, t, m, n]) => `${m}: ${t === 'V' ? `array<vec4<u32>, ${n}>` : t === 'U' ? 'u32' : 'f32'},\n`).join('')}}\n`;
}

/** Without what only people need. */
const tighten = (/** @type {string} */ text) => text.replace(/\/\*[^]*?\*\//g, '').split('\n')
  .map((line) => line.replace(/\/\/.*$/, '').trim().replace(/ ?([{}();,=+*/<>&|!?:%]|-(?! -)) ?/g, '$1')).filter((line) => line).map((line) => `${line}\n`).join('');

/** The parts of a kernel file's text. @returns {string[]} */
function partsOf(/** @type {string} */ path) {
  const folder = dirname(path);
  const definitions = readFileSync(join(folder, '..', 'params.def'), 'utf8');
  const seen = new Set();
  /** @type {(file: string) => string[]} */
  const expand = (file) => {
    if (seen.has(file)) return [];
    seen.add(file);
    return readFileSync(file, 'utf8').split(/^(#(?:include|params) .*)\n/m).flatMap((text) => {
      const include = text.match(/^#include "([\w.]+)"$/);
      if (include) return expand(join(folder, include[1]));
      const params = text.match(/^#params (\w+)$/);
      return tighten(params ? paramsStruct(definitions, params[1]) : text);
    });
  };
  return expand(path).filter(Boolean);
}

/** The text of a kernel file as the GPU gets it. */
export const expandKernel = (/** @type {string} */ path) => partsOf(path).join('');

/**
 * The parts with short names in place of those declared in them. Left as they are: overrides, which C knows, names in
 * capitals, names that are WGSL's own as well, and what could be a swizzle.
 * @param {string[]} parts
 */
function shorten(parts) {
  const text = parts.join('');
  const all = (/** @type {RegExp} */ pattern) => [...text.matchAll(pattern)].map((m) => m.slice(1).find(Boolean) ?? '');
  /** @type {Map<string, number>} */
  const uses = new Map();
  for (const word of all(/\b([a-z_]\w*)/gi)) uses.set(word, (uses.get(word) ?? 0) + 1);
  const makers = new Set(all(/\b(?:fn|struct|alias) (\w+)/g)); // what stands before a parenthesis else is built in
  const kept = new Set(['main', 'default', ...all(/\boverride (\w+)|@builtin\((\w+)/g), ...all(/\b(\w+)\(/g).filter((w) => !makers.has(w)),
    ...all(/var<([^>]*)>|^(?:enable|requires|diagnostic)(.*)/gm).flatMap((list) => list.split(/\W/))]);
  const declared = new Set([...makers, ...all(/\b(?:let|const|var(?:<[^>]*>)?) (\w+)|\b([a-z_]\w*):/gi)]);
  const long = [...declared].filter((w) => w.length > 2 && /[a-z]/.test(w) && !kept.has(w) && !/^([xyzw]+|[rgba]+)$/.test(w));
  const letters = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'];
  const free = [...letters, ...letters.flatMap((a) => [...letters, ...'0123456789'].map((b) => a + b))].filter((w) => !uses.has(w) && !/^(as|do|fn|if|of)$/.test(w));
  const short = new Map(long.sort((a, b) => (uses.get(b) ?? 0) - (uses.get(a) ?? 0)).map((w, i) => [w, free[i]]));
  return parts.map((part) => part.replace(/\b[a-z_]\w*/gi, (w) => short.get(w) ?? w));
}

if (process.argv[1] && fileURLToPath(import.meta.url) === process.argv[1]) {
  const [out, ...files] = process.argv.slice(2);
  const kernels = files.filter((f) => !basename(f).startsWith('common_'));
  const lists = kernels.map(partsOf);
  const parts = ['', ...new Set(lists.flat())];
  const texts = shorten(parts);
  const quoted = (/** @type {string} */ text) => text.split('\n').map((l) => `    "${l.replace(/["\\]/g, '\\$&')}\\n"\n`).slice(0, -1).join('').trimEnd();
  const octal = (/** @type {string} */ part) => `\\${parts.indexOf(part).toString(8).padStart(3, '0')}`;
  writeFileSync(out, '/* Generated by tools/embed_wgsl.mjs. */\n#include "webgpu/wgsl.h"\n\n'
    + `const uint32_t qn_wgsl_hash = ${createHash('sha256').update(texts.join('')).digest().readUInt32LE()}u;\n\n`
    + `const char *const qn_wgsl_parts[] = {\n    "",\n${texts.slice(1).map((p) => `${quoted(p)},\n`).join('\n')}};\n\n`
    + `const struct qn_wgsl_text qn_wgsl_texts[] = {\n${kernels.map((file, i) => `    {"${basename(file, '.wgsl')}", "${lists[i].map(octal).join('')}"},\n`).join('')}    {0, 0},\n};\n`);
}
