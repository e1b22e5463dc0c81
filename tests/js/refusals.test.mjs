// Both programs with input that cannot be served: exit status 1 and one line with the error's name, or
// 2 and the usage; never a signal, nothing on stdout, and the same answer from both.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { tinyGguf, tinyHf } from './lib/seeds.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const native = process.env.QN_NATIVE ?? `${root}build/quern`;
const skip = existsSync(native) && existsSync(`${root}web/wasm/quern-simd.wasm`) ? false : 'run make build first';
const folder = mkdtempSync(`${tmpdir()}/quern-`);
test.after(() => rmSync(folder, { recursive: true }));

/** @param {string} name @param {string | Uint8Array} bytes @param {number} [size] sparse, to this many bytes */
function file(name, bytes, size) {
  mkdirSync(`${folder}/${name}`.replace(/\/[^/]*$/, ''), { recursive: true });
  writeFileSync(`${folder}/${name}`, bytes);
  if (size) truncateSync(`${folder}/${name}`, size);
  return `${folder}/${name}`;
}

/** @param {string[]} command */
function run(command) {
  const r = spawnSync(command[0], command.slice(1), { encoding: 'utf8', timeout: 20_000, input: '' });
  return { status: r.status, signal: r.signal, out: r.stdout, err: r.stderr, code: /^quern: error (QN_E_\w+): .+\n$/.exec(r.stderr)?.[1] };
}

/** @param {string[]} args @param {number} status */
function both(args, status) {
  const name = args.map((a) => a.slice(0, 60)).join(' ');
  const c = run([native, ...args]);
  const js = run([process.execPath, `${root}bin/quern.mjs`, ...args]);
  for (const r of [c, js]) {
    assert.equal(r.signal, null, name);
    assert.equal(r.status, status, `${name}: ${r.err}`);
    assert.equal(r.out, '', name);
    if (status === 1) assert.ok(r.code && (r.err.includes('; ') || r.err.length > 480), `${name}: ${r.err}`); // names its remedy
  }
  assert.equal(c.code, js.code, `${name}\n${c.err}${js.err}`);
}

test('files that are no models', { skip }, () => {
  const good = tinyGguf()['tiny.gguf'];
  const list = ['/dev/null', folder, '/nonexistent', 'x'.repeat(5000), file('nil.gguf', ''), file('four.gguf', 'GGUF'), file('text.gguf', 'hello'), file('zeros.gguf', 'GGUF\x03\0\0\0', 4096), file('sparse.gguf', '', 2 ** 33)];
  for (const n of [1, 30, 700, 3000, 7000]) list.push(file(`cut${n}.gguf`, good.subarray(0, n)));
  for (const [name, text, size] of /** @type {[string, string, number?][]} */ ([['a/config.json', '{'], ['b/config.json', '', 5e9], ['c/config.json', '{"model_type":"llama"}'], ['d/config.json', '[]'], ['e/config.json', '{"model_type":7}']])) {
    list.push(file(name, text, size).replace(/\/[^/]*$/, ''));
  }
  file('f/config.json', '{"model_type":"llama"}');
  file('f/model.safetensors', '', 2 ** 33);
  list.push(`${folder}/f`);
  for (const model of list) both(['generate', model, '--ids', '1', '-n', '1', '--json'], 1);
});

test('seeds of the fuzzers as models', { skip }, () => {
  for (const kind of ['json', 'safetensors', 'tokenizer', 'mlc']) {
    for (const name of readdirSync(`${root}fuzz/seeds/${kind}`).slice(0, 3)) both(['inspect', `${root}fuzz/seeds/${kind}/${name}`, '--json'], 1);
  }
});

test('arguments', { skip }, () => {
  for (const [name, bytes] of Object.entries(tinyHf())) file(`tiny/${name}`, bytes);
  const tiny = `${folder}/tiny`;
  const text = file('text', 'no json');
  for (const args of [
    ['generate', tiny, '--ids', '999', '-n', '1'], ['generate', tiny, '--ids', '-1', '-n', '1'],
    ['generate', tiny, '--ids', '99999999999', '-n', '1'], ['generate', tiny, '--ids', '1', '-n', '1', '--temp', '-1'], ['generate', tiny, '--ids', Array(200).fill(1).join(), '-n', '1'],
    ['tokenize', tiny, '--file', '/nonexistent'], ['tokenize', tiny, '--file', folder], ['tokenize', tiny, '--file', text, '--lines'],
    ['detokenize', tiny, '--ids', '1,9999'], ['detokenize', tiny, '--file', text, '--lines'],
    ['template', tiny, '--messages', '/dev/null'], ['template', tiny, '--messages', folder], ['template', tiny, '--messages', text],
    ['dequant', '--type', 'Q9', '--hex', '00'], ['dequant', '--type', 'Q4_0', '--hex', '0'], ['dequant', '--type', 'Q4_0', '--hex', 'zz'], ['dequant', '--type', 'Q4_0', '--hex', '0011'],
    ['run', '--synthetic', 'nonsense:q4', '-p', 'a'],
  ]) both(args, 1);
  for (const args of [
    ['nonsense'], ['toString'], [], ['generate'], ['generate', tiny], ['logits', tiny], ['run', tiny, '--bogus'], ['inspect', tiny, tiny], ['inspect', ''], ['generate', tiny, '--ids', '1', '-n', '-1'],
    ['generate', tiny, '--ids', '1', '-n', '4294967296'], ['generate', tiny, '--ids', '1', '-n', '1', '--backend', 'nope'], ['generate', tiny, '--ids'],
  ]) both(args, 2);
});
