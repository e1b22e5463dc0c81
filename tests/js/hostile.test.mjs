// Hostile bytes through the wasm module, as a browser would meet them: every prefix and every flipped
// bit of small models, open to first tokens. No trap, no error that is not a QuernError, memory
// within bounds, and the instance goes on working.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { Core } from '../../web/core.js';
import { QuernError, STATUS } from '../../web/errors.js';
import { tinyGguf, tinyHf, tinyMlc, VOCAB } from './lib/seeds.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const wasm = `${root}web/wasm/quern-simd.wasm`;
const skip = existsSync(wasm) ? false : 'no web/wasm/quern-simd.wasm: run make build';
const module = skip ? null : new WebAssembly.Module(readFileSync(wasm));
/** Of the weights, whose bits are all alike, one bit in so many. QN_FLIP_EVERY=1 takes the minute for all. */
const EVERY = Number(process.env.QN_FLIP_EVERY ?? 7);

/** @typedef {import('./lib/seeds.mjs').Folder} Folder */

/** Files that can be exchanged while the instance lives. */
function host() {
  /** @type {{ files: Folder }} */
  const now = { files: {} };
  const find = (/** @type {string} */ name) => (Object.hasOwn(now.files, name) ? now.files[name] : undefined);
  const core = new Core(/** @type {WebAssembly.Module} */ (module), {
    files: {
      size: (name) => find(name)?.length ?? -STATUS.E_NOT_FOUND,
      read: (name, offset, target) => {
        const file = find(name);
        if (!file) return STATUS.E_NOT_FOUND;
        assert.ok(offset + target.length <= file.length, `read past the end of ${name}`);
        target.set(file.subarray(offset, offset + target.length));
        return STATUS.OK;
      },
    },
  });
  return { core, now };
}

const total = (/** @type {Folder} */ files) => Object.values(files).reduce((n, f) => n + f.length, 0);

/** Everything a page does with a model. @param {Core} core @param {string} main @returns {number[]} ids */
function use(core, main) {
  core.create({ main, context: 64, chunk: 16 });
  try {
    assert.ok(core.open());
    for (let state = core.state(); state === 'open'; state = core.state()) core.load();
    core.tokenize('the <|im_start|> \u00e9');
    core.detokenize([0, 1, 2, 60]);
    core.info();
    const session = core.createSession();
    core.start(session, [5, 6], { maxTokens: 2 });
    const ids = [];
    for (;;) {
      const event = core.next(session);
      if (event.kind === 'token') ids.push(event.id);
      if (event.kind === 'done') break;
    }
    core.startChat(session, { messages: [{ role: 'user', content: 'a b' }], max_tokens: 1 });
    while (core.next(session).kind !== 'done');
    return ids;
  } finally {
    core.destroy();
  }
}

/** @param {() => unknown} action @returns {string} the error's code, or '' */
function refusal(action) {
  try {
    action();
    return '';
  } catch (error) {
    if (!(error instanceof QuernError)) throw error; // a trap, a RangeError, …
    assert.match(error.code, /^QN_E_/);
    assert.ok(error.message.length > 0, error.code);
    assert.ok(!/[\0-\x1f]/.test(error.message), JSON.stringify(error.message));
    assert.notEqual(error.code, 'QN_E_INTERNAL', error.message);
    return error.code;
  }
}

/** Every prefix, then every flipped bit of one file. @param {Folder} good @param {string} main @param {string} name @param {number} dense bytes whose every bit counts */
function damage(good, main, name, dense) {
  const { core, now } = host();
  const whole = good[name];
  now.files = { ...good };
  const expected = use(core, main);
  const floor = core.memory.buffer.byteLength;
  let inputs = 0;
  let refused = 0;
  let slowest = 0;
  const codes = new Set();
  const attempt = (/** @type {Uint8Array} */ bytes, /** @type {string} */ what) => {
    now.files[name] = bytes;
    const start = performance.now();
    let code;
    try {
      code = refusal(() => use(core, main));
    } catch (error) {
      throw new Error(`${name}, ${what}: ${error}`, { cause: error });
    }
    slowest = Math.max(slowest, performance.now() - start);
    inputs++;
    refused += code ? 1 : 0;
    codes.add(code);
  };
  for (let n = 0; n < whole.length; n++) attempt(whole.subarray(0, n), `first ${n} bytes`);
  const copy = whole.slice();
  for (let i = 0; i < 8 * whole.length; i += i < 8 * dense ? 1 : EVERY) {
    copy[i >> 3] ^= 1 << (i & 7);
    attempt(copy, `bit ${i & 7} of byte ${i >> 3}`);
    copy[i >> 3] ^= 1 << (i & 7);
  }
  const grown = core.memory.buffer.byteLength - floor;
  assert.ok(grown <= 16 * total(good) + (4 << 20), `memory grew by ${grown} bytes`);
  assert.ok(slowest < 1000, `one input took ${slowest} ms`);
  now.files[name] = whole;
  assert.deepEqual(use(core, main), expected, 'a good file afterwards');
  assert.ok(refused > 0 && codes.size > (dense ? 2 : 1));
  return { inputs, refused, slowest: Math.round(slowest), grown, codes: [...codes].join(' ') };
}

/** @type {[string, () => Folder, string, [string, number][]][]} */
const seeds = [
  ['GGUF', tinyGguf, 'tiny.gguf', [['tiny.gguf', 3200]]],
  ['Hugging Face', tinyHf, '', [['config.json', 1e9], ['model.safetensors', 1180], ['tokenizer.json', 1e9], ['tokenizer_config.json', 1e9]]],
  ['MLC', tinyMlc, '', [['mlc-chat-config.json', 1e9], ['tensor-cache.json', 1e9], ['params_shard_0.bin', 0], ['tokenizer.json', 1e9]]],
];

for (const [format, make, main, names] of seeds) {
  for (const [name, dense] of names) {
    test(`${format}: every prefix and bit of ${name}`, { skip }, (t) => {
      t.diagnostic(JSON.stringify(damage(make(), main, name, dense)));
    });
  }
}

test('the tiny models generate', { skip }, () => {
  for (const [format, make, main] of seeds) {
    const { core, now } = host();
    now.files = make();
    const ids = use(core, main);
    assert.equal(ids.length, 2, format);
    assert.ok(ids.every((id) => id < VOCAB));
  }
});

test('folders that lack a file name it', { skip }, () => {
  for (const [, make, main] of seeds) {
    const good = make();
    for (const name of Object.keys(good)) {
      const { core, now } = host();
      now.files = { ...good };
      delete now.files[name];
      const code = refusal(() => use(core, main));
      if (name === 'tokenizer_config.json') assert.equal(code, 'QN_E_TEMPLATE');
      else if (name === 'tokenizer.json') assert.equal(code, 'QN_E_UNSUPPORTED');
      else assert.ok(code, `without ${name}`);
    }
  }
});

test('the fuzzers\' seeds do no harm', { skip }, () => {
  const { core, now } = host();
  for (const kind of readdirSync(`${root}fuzz/seeds`)) {
    for (const name of readdirSync(`${root}fuzz/seeds/${kind}`)) {
      const bytes = new Uint8Array(readFileSync(`${root}fuzz/seeds/${kind}/${name}`));
      for (const cut of [0, 1, 3]) {
        now.files = { 'm.gguf': bytes.subarray(cut), 'config.json': bytes.subarray(cut), 'tokenizer.json': bytes.subarray(cut), 'model.safetensors': bytes.subarray(cut), 'mlc-chat-config.json': bytes };
        refusal(() => use(core, 'm.gguf'));
        refusal(() => use(core, ''));
        delete now.files['mlc-chat-config.json'];
        refusal(() => use(core, ''));
      }
    }
  }
});

test('deep documents are refused, not overflowed', { skip }, () => {
  const { core, now } = host();
  const utf8 = new TextEncoder();
  for (const depth of [60, 64, 65, 1000, 100000]) {
    now.files = { ...tinyHf(), 'config.json': utf8.encode('{"a":'.repeat(depth) + '1' + '}'.repeat(depth)) };
    assert.ok(refusal(() => use(core, '')));
  }
  for (const depth of [10, 63, 64, 100, 5000]) {
    for (const source of [
      '{{ ' + '('.repeat(depth) + '1' + ')'.repeat(depth) + ' }}',
      '{{ ' + '['.repeat(depth) + ']'.repeat(depth) + ' }}',
      '{{ ' + '-'.repeat(depth) + '1 }}',
      '{{ ' + 'not '.repeat(depth) + 'x }}',
      '{% if x %}'.repeat(depth) + '{% endif %}'.repeat(depth),
      '{% for a in [1] %}'.repeat(depth) + 'x' + '{% endfor %}'.repeat(depth),
      '{{ x' + '.y'.repeat(depth) + ' }}',
      '{{ "a"' + '|upper'.repeat(depth) + ' }}',
      '{{ 1' + ' + 1'.repeat(depth) + ' }}',
      '{{ ' + 'a if b else '.repeat(depth) + '1 }}',
      '{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}',
      '{% for i in range(1000000) %}{% for j in range(1000000) %}{% endfor %}{% endfor %}',
      '{% set ns = namespace(s="aaaaaaaa") %}{% for i in range(64) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}',
    ]) {
      now.files = { ...tinyHf(), 'tokenizer_config.json': utf8.encode(JSON.stringify({ chat_template: source })) };
      const start = performance.now();
      refusal(() => use(core, ''));
      assert.ok(performance.now() - start < 1000, source.slice(0, 60));
    }
  }
  now.files = tinyHf();
  assert.equal(use(core, '').length, 2);
});

test('calls on an engine that was refused or destroyed answer in words', { skip }, () => {
  const { core, now } = host();
  now.files = tinyGguf();
  const calls = [
    () => core.open(), () => core.load(), () => core.info(), () => core.tokenize('a'), () => core.detokenize([1]), () => core.template({ messages: [] }),
    () => core.createSession(), () => core.start(0, [1], {}), () => core.startChat(0, { messages: [] }), () => core.next(0),
  ];
  for (const options of [{ main: 'tiny.gguf', contxt: 1 }, { main: 7 }, { main: 'x'.repeat(600) }, { context: -1 }, { context: 1.5 }, { kv: 'f8' }, { gpu: { maxBuffer: -1 } }, { gpu: 3 }, { threads: '1' }, []]) {
    core.create(/** @type {any} */ (options));
    for (const call of calls) assert.match(refusal(call), /^QN_E_ARGUMENT$/, JSON.stringify(options));
    assert.deepEqual(core.pieces(), []);
    assert.equal(core.state(), 'failed');
    core.cancel(0);
    core.destroySession(0);
    core.destroy();
    for (const call of calls) assert.equal(refusal(call), 'QN_E_STATE');
    core.destroy();
  }
  // Too early is no harm either.
  core.create({ main: 'tiny.gguf' });
  for (const call of calls.slice(1, 7)) assert.ok(refusal(call));
  core.destroy();
  assert.equal(use(core, 'tiny.gguf').length, 2);
});

test('extreme sizes are refused or served, never a trap', { skip }, () => {
  for (const [, make, main] of seeds) {
    for (const options of [{ context: 4294967295 }, { context: 1 }, { chunk: 4294967295 }, { chunk: 1 }, { threads: 4294967295 }, { context: 1e6 }, { kv: 'f16', context: 7 }]) {
      const { core, now } = host();
      now.files = make();
      core.create({ main, ...options });
      refusal(() => {
        core.open();
        for (let state = core.state(); state === 'open'; state = core.state()) core.load();
        const session = core.createSession();
        core.start(session, [1], { maxTokens: 1 });
        while (core.next(session).kind !== 'done');
      });
      core.destroy();
    }
  }
});

test('parameters of a request: each wrong one is refused by name', { skip }, () => {
  const { core, now } = host();
  now.files = tinyHf();
  core.create({ main: '', context: 64 });
  core.open();
  while (core.state() === 'open') core.load();
  const session = core.createSession();
  for (const [options, name] of /** @type {[any, string][]} */ ([
    [{ maxTokens: -1 }, 'maxTokens'], [{ maxTokens: 1.5 }, 'maxTokens'], [{ temperature: 'x' }, 'temperature'], [{ temperature: -1 }, 'temperature'],
    [{ topK: -1 }, 'topK'], [{ topP: 2 }, 'top_p'], [{ minP: -1 }, 'min_p'], [{ seed: -1 }, 'seed'], [{ seed: 1.5 }, 'seed'], [{ stopOnEos: 1 }, 'stopOnEos'],
    [{ nonsense: 1 }, 'nonsense'], [{ logits: 'yes' }, 'logits'],
  ])) {
    assert.throws(() => core.start(session, [1], options), (error) => error instanceof QuernError && error.code === 'QN_E_ARGUMENT' && error.message.includes(name), name);
  }
  assert.equal(refusal(() => core.start(session, [], {})), 'QN_E_ARGUMENT');
  assert.equal(refusal(() => core.start(session, [VOCAB], {})), 'QN_E_ARGUMENT');
  assert.equal(refusal(() => core.start(session, new Array(65).fill(1), {})), 'QN_E_CONTEXT');
  core.start(session, [1], { maxTokens: 3 });
  assert.equal(refusal(() => core.start(session, [1], {})), 'QN_E_STATE');
  core.cancel(session);
  assert.equal(core.next(session).finish, 'cancelled');
  assert.equal(refusal(() => core.next(session)), 'QN_E_STATE');
  core.destroy();
});
