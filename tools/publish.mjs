// What is published: the library and the page as they are in the tree, less the comments (the types that
// they declare travel as .d.ts). TypeScript's compiler takes them out; it changes nothing else that runs.

import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** @param {string} folder @returns {string[]} */
const walk = (folder) => readdirSync(folder, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? walk(join(folder, e.name)) : [join(folder, e.name)]));

/** Writes web/ and demo/ under `folder`, wasm modules and the page's other files included. @param {string} folder */
export function publish(folder) {
  rmSync(folder, { recursive: true, force: true });
  execFileSync('npx', ['tsc', '-p', 'tsconfig.json', '--noEmit', 'false', '--removeComments', '--outDir', folder], { stdio: ['ignore', 'inherit', 'ignore'] });
  for (const file of [...walk('web'), ...walk('demo')]) if (!file.endsWith('.js')) cpSync(file, join(folder, file));
}
