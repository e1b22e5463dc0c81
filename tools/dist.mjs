// The npm package, and the page as a folder that any static server can serve: dist/quern-VERSION.tgz,
// dist/site/. JavaScript without comments and indentation (tools/publish.mjs), types from the JSDoc.
// `--complete FOLDER`: only what an unpacked package has and the tree has not, types and folders of entries (for `npm pack` in the tree).

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';

import { publish } from './publish.mjs';

const run = (/** @type {string} */ command, /** @type {string[]} */ args, /** @type {string} */ cwd = '.') => execFileSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });

/** Types, and a folder for each entry: resolvers that do not read "exports" (Parcel's, TypeScript's node10) look there. @param {string} folder */
function complete(folder) {
  rmSync(`${folder}/types`, { recursive: true, force: true });
  run('npx', ['tsc', '-p', 'tsconfig.json', '--noEmit', 'false', '--declaration', '--emitDeclarationOnly', '--outDir', `${folder}/types`]);
  for (const [entry, { types, default: main }] of Object.entries(JSON.parse(readFileSync('package.json', 'utf8')).exports)) {
    if (entry === '.' || !main) continue;
    mkdirSync(`${folder}/${entry}`, { recursive: true });
    writeFileSync(`${folder}/${entry}/package.json`, `${JSON.stringify({ main: `.${main}`, types: `.${types}` })}\n`);
  }
}

if (process.argv[2] === '--complete') {
  complete(process.argv[3]);
  process.exit();
}
rmSync('dist', { recursive: true, force: true });
mkdirSync('dist');

publish('dist/site');
cpSync('models', 'dist/site/models', { recursive: true, filter: (path) => !path.includes('recipe') });
const stage = 'dist/package';
mkdirSync(stage);
for (const name of ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'bin']) cpSync(name, `${stage}/${name}`, { recursive: true });
cpSync('dist/site/web', `${stage}/web`, { recursive: true });
cpSync('dist/site/models', `${stage}/models`, { recursive: true });
complete(stage);
run('npm', ['pack', '--ignore-scripts', '--pack-destination', '..', '--loglevel=error'], stage);
for (const name of readdirSync('dist')) if (name.endsWith('.tgz')) console.log(`dist/${name}: ${statSync(`dist/${name}`).size} bytes`);
console.log('dist/site/: the page, at dist/site/demo/');
