// Runs every suite and adds up: C programs (plain and sanitized builds), then the JavaScript tests.
// Arguments choose suites by substring of their name. The last line is "N passed, N failed".

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';

const wanted = process.argv.slice(2);
const chosen = (/** @type {string} */ name) => wanted.length === 0 || wanted.some((w) => name.includes(w));
let passed = 0;
let failed = 0;

/** What failed, with what is said about it, then the end of everything. @param {string} output */
function told(output) {
  const lines = output.split('\n');
  /** @type {string[]} */
  const failures = [];
  for (let i = 0; i < lines.length && failures.length < 200; i++) {
    const indent = /^( *)not ok /.exec(lines[i])?.[1];
    if (indent === undefined) continue;
    do failures.push(lines[i++]);
    while (i < lines.length && lines[i].startsWith(`${indent}  `));
    i--;
  }
  return [...failures, ...lines.slice(-60)].join('\n');
}

/**
 * @param {string} name
 * @param {string} command
 * @param {string[]} args
 * @param {(output: string) => [number, number] | null} count reads the totals from the output
 */
function suite(name, command, args, count) {
  const start = Date.now();
  const run = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: 20 * 60_000,
    maxBuffer: 1 << 28,
    env: { ...process.env, ASAN_OPTIONS: 'detect_leaks=1', UBSAN_OPTIONS: 'print_stacktrace=1' },
  });
  const output = (run.stdout ?? '') + (run.stderr ?? '');
  const totals = count(output);
  const broken = run.status !== 0 || !totals;
  const [ok, bad] = totals ?? [0, 0];
  passed += ok;
  failed += broken ? Math.max(bad, 1) : bad;
  const seconds = ((Date.now() - start) / 1000).toFixed(1);
  console.log(`${broken || bad ? 'FAIL' : 'ok  '} ${name}: ${ok} passed, ${bad} failed (${seconds} s)`);
  if (broken || bad) console.log(told(output));
}

const cTotals = (/** @type {string} */ output) => {
  const m = [...output.matchAll(/: (\d+) passed, (\d+) failed/g)].at(-1);
  return m ? /** @type {[number, number]} */ ([Number(m[1]), Number(m[2])]) : null;
};
const nodeTotals = (/** @type {string} */ output) => {
  const ok = /^# pass (\d+)/m.exec(output);
  const bad = /^# fail (\d+)/m.exec(output);
  return ok && bad ? /** @type {[number, number]} */ ([Number(ok[1]), Number(bad[1])]) : null;
};

for (const config of ['release', 'sanitize']) {
  for (const file of readdirSync('tests/c').sort()) {
    const name = /^(test_\w+)\.c$/.exec(file)?.[1];
    const program = `build/${config}/${name}`;
    if (name && chosen(`${config}/${name}`) && existsSync(program)) suite(`${config}/${name}`, program, [], cTotals);
  }
}
for (const file of readdirSync('tests/js').sort()) {
  if (file.endsWith('.test.mjs') && chosen(`js/${file}`)) {
    suite(`js/${file}`, process.execPath, ['--test', '--test-reporter=tap', `tests/js/${file}`], nodeTotals);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed || !passed ? 1 : 0;
