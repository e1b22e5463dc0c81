// The npm package: types from the JSDoc, then `npm pack` of what package.json lists.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';

rmSync('types', { recursive: true, force: true });
rmSync('dist', { recursive: true, force: true });
mkdirSync('dist');
const run = (/** @type {string} */ command, /** @type {string[]} */ ...args) => execFileSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
run('npx', 'tsc', '-p', 'tsconfig.json', '--noEmit', 'false', '--declaration', '--emitDeclarationOnly', '--outDir', 'types');
run('npm', 'pack', '--ignore-scripts', '--pack-destination', 'dist', '--loglevel=error');
for (const name of readdirSync('dist')) console.log(`dist/${name}: ${statSync(`dist/${name}`).size} bytes`);
