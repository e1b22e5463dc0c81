// The npm package, and the page as a folder that any static server can serve: dist/quern-VERSION.tgz,
// dist/site/. JavaScript without comments and indentation (tools/publish.mjs), types from the JSDoc.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';

import { publish } from './publish.mjs';

rmSync('types', { recursive: true, force: true });
rmSync('dist', { recursive: true, force: true });
mkdirSync('dist');
const run = (/** @type {string} */ command, /** @type {string[]} */ args, /** @type {string} */ cwd = '.') => execFileSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });

publish('dist/site');
cpSync('models', 'dist/site/models', { recursive: true, filter: (path) => !path.includes('recipe') });
const stage = 'dist/package';
mkdirSync(stage);
for (const name of ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'bin']) cpSync(name, `${stage}/${name}`, { recursive: true });
cpSync('dist/site/web', `${stage}/web`, { recursive: true });
cpSync('dist/site/models', `${stage}/models`, { recursive: true });
run('npx', ['tsc', '-p', 'tsconfig.json', '--noEmit', 'false', '--declaration', '--emitDeclarationOnly', '--outDir', `${stage}/types`]);
run('npm', ['pack', '--ignore-scripts', '--pack-destination', '..', '--loglevel=error'], stage);
for (const name of readdirSync('dist')) if (name.endsWith('.tgz')) console.log(`dist/${name}: ${statSync(`dist/${name}`).size} bytes`);
console.log('dist/site/: the page, at dist/site/demo/');
