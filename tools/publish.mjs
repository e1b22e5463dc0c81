// What is published: the library and the page as they are in the tree, less the comments (the types that
// they declare travel as .d.ts) and the blanks that only people need; lines stay lines. TypeScript's compiler takes
// the comments out; it changes nothing else that runs. It also says whether leaving out blanks changed anything: it
// prints both in the same way.

import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @param {string} folder @returns {string[]} */
const walk = (folder) => readdirSync(folder, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? walk(join(folder, e.name)) : [join(folder, e.name)]));

// Strings, parts of templates, regular expressions (behind what no operand ends with), words, blanks, the rest.
const TOKEN = /(["'])(?:\\[^]|(?!\1)[^\\])*\1|(?<=(?:^|[=(,:?!&|;{}[\n]|=>|\breturn)\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\[\n])+\/\w*|\s+|[\w$#]+|[^]/y;
const TEMPLATE = /(?:\\[^]|\$(?!\{)|[^\\`$])*(?:`|\$\{)/y;
const TIGHT = /[()[\]{},;:=<>&|?]/; // no blank is needed beside them

/** Without comments already. @param {string} text */
export function tighten(text) {
  let out = '';
  const depths = [0]; // of braces, for each template around
  for (let at = 0; at < text.length;) {
    TOKEN.lastIndex = at;
    let [token] = /** @type {RegExpExecArray} */ (TOKEN.exec(text));
    if (token === '{') depths[depths.length - 1]++;
    const closes = token === '}' && depths[depths.length - 1]-- === 0;
    if (closes) depths.pop();
    if (closes || token === '`') {
      TEMPLATE.lastIndex = at + 1;
      token += /** @type {RegExpExecArray} */ (TEMPLATE.exec(text))[0];
      if (token.endsWith('{')) depths.push(0);
    }
    at += token.length;
    if (/\S/.test(token)) out += token;
    else if (token.includes('\n')) out += '\n';
    else if (!TIGHT.test(out.at(-1) ?? '') && !TIGHT.test(text[at] ?? '')) out += ' ';
  }
  return out;
}

/** JavaScript of `folder` or of the tree as TypeScript prints it, in `to`. @param {string[]} what @param {string} to */
const print = (what, to) => execFileSync('npx', ['tsc', ...what, '--noEmit', 'false', '--removeComments', '--outDir', to], { stdio: ['ignore', 'inherit', 'ignore'] });

/** Writes web/ and demo/ under `folder`, wasm modules and the page's other files included. @param {string} folder */
export function publish(folder) {
  const again = `${folder}.again`;
  for (const f of [folder, again]) rmSync(f, { recursive: true, force: true });
  print(['-p', 'tsconfig.json'], folder);
  const scripts = walk(folder).filter((f) => f.endsWith('.js'));
  const printed = scripts.map((f) => readFileSync(f, 'utf8'));
  scripts.forEach((f, i) => writeFileSync(f, tighten(printed[i])));
  print([...scripts, '--ignoreConfig', '--allowJs', '--noCheck', '--noResolve', '--target', 'esnext', '--module', 'esnext', '--rootDir', folder], again);
  scripts.forEach((f, i) => {
    if (readFileSync(join(again, f.slice(folder.length)), 'utf8') !== printed[i]) throw new Error(`${f}: blanks that count`);
  });
  rmSync(again, { recursive: true });
  for (const file of [...walk('web'), ...walk('demo')]) if (!file.endsWith('.js')) cpSync(file, join(folder, file));
}
