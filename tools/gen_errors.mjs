// The status table of include/quern.h → web/errors.gen.js and docs/errors.md.
// With --check it only says whether the committed files are up to date.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const header = readFileSync('include/quern.h', 'utf8');
const rows = [...header.matchAll(/^\s*X\((\w+),\s*(\d+),\s*"([^"]*)",\s*"([^"]*)"\)/gm)].map(([, name, number, what, remedy]) => ({ name, number: Number(number), what, remedy }));
if (rows.length < 20) throw new Error('the status table of include/quern.h was not found');

const className = (/** @type {string} */ name) =>
  name.replace(/^E_/, '').toLowerCase().replace(/(^|_)(\w)/g, (_, __, c) => c.toUpperCase()).replace(/^(Io|Json|Utf8|Gpu|NoWebgpu)/, (w) => ({ Io: 'IO', Json: 'JSON', Utf8: 'UTF8', Gpu: 'GPU', NoWebgpu: 'NoWebGPU' })[w] ?? w) + 'Error';

const js = `// Generated from include/quern.h by tools/gen_errors.mjs; do not edit.

export const STATUS = /** @type {const} */ ({
${rows.map((r) => `  ${r.name}: ${r.number},`).join('\n')}
});

/** @type {{ name: string, code: string, what: string, remedy: string }[]} indexed by status */
export const STATUS_TABLE = [
${rows.map((r) => `  { name: '${r.name === 'OK' ? '' : className(r.name)}', code: 'QN_${r.name}', what: ${JSON.stringify(r.what)}, remedy: ${JSON.stringify(r.remedy)} },`).join('\n')}
];
`;

const md = `# Errors

Every error of Quern is one of these. In C it is \`enum qn_status\`; in JavaScript an instance of \`QuernError\` whose \`name\`
and \`code\` tell them apart, also across a worker; on the command line it follows \`quern: error\`. The message
says what was wrong, where, and what can be done. Generated from \`include/quern.h\`.

| code | number | JavaScript \`name\` | what happened | what you can do |
| --- | --- | --- | --- | --- |
${rows.filter((r) => r.name !== 'OK').map((r) => `| \`QN_${r.name}\` | ${r.number} | \`${className(r.name)}\` | ${r.what} | ${r.remedy} |`).join('\n')}
`;

let stale = false;
for (const [path, text] of [['web/errors.gen.js', js], ['docs/errors.md', md]]) {
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
  if (process.argv.includes('--check')) {
    console.error(`${path} is not up to date: run make gen`);
    stale = true;
  } else {
    writeFileSync(path, text);
  }
}
process.exitCode = stale ? 1 : 0;
