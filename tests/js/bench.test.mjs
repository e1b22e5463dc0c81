// What the bench measures with: models of random weights for a library that MLC compiled, and runs in a page.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';

import { openModel } from '../../bin/host.mjs';
import { findChromium, openPage, serve } from '../../bench/browser.mjs';
import { makeMlc, readMetadata } from '../../bench/synthetic_mlc.mjs';

const HIDDEN = 64;
const FF = 96;
const VOCAB = 512;
const LAYERS = 2;

const scratch = mkdtempSync(join(tmpdir(), 'quern-bench-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** @param {string} name @param {number} rows @param {number} columns */
const matrix = (name, rows, columns) => [
  { name: `${name}.q_weight`, shape: [rows, columns / 8], dtype: 'uint32' },
  { name: `${name}.q_scale`, shape: [rows, columns / 32], dtype: 'float32' },
];
/** @param {string} name @param {number} n */
const vector = (name, n) => ({ name, shape: [n], dtype: 'float32' });

/** What a compiled library holds of it: JSON between other bytes, which have "params" too. */
function library() {
  const params = [...matrix('model.embed_tokens', VOCAB, HIDDEN)];
  for (let i = 0; i < LAYERS; i++) {
    const at = `model.layers.${i}`;
    params.push(...matrix(`${at}.self_attn.c_attn`, 128, HIDDEN), vector(`${at}.self_attn.c_attn.bias`, 128), ...matrix(`${at}.self_attn.o_proj`, HIDDEN, HIDDEN));
    params.push(...matrix(`${at}.mlp.gate_up_proj`, 2 * FF, HIDDEN), ...matrix(`${at}.mlp.down_proj`, HIDDEN, FF));
    params.push(vector(`${at}.input_layernorm.weight`, HIDDEN), vector(`${at}.post_attention_layernorm.weight`, HIDDEN));
  }
  params.push(vector('model.norm.weight', HIDDEN));
  const sizes = { context_window_size: 256, prefill_chunk_size: 64, sliding_window_size: -1 };
  const meta = { model_type: 'qwen2', quantization: 'q4f32_1', ...sizes, kv_cache: { num_hidden_layers: LAYERS, num_attention_heads: 2, num_key_value_heads: 1, head_dim: 32 }, params };
  const file = join(scratch, 'tiny.wasm');
  writeFileSync(file, Buffer.concat([Buffer.from('\0asm\xff{"params": [1]}\0', 'latin1'), Buffer.from(JSON.stringify(meta)), Buffer.from([0, 255, 125])]));
  return { file, params };
}

const { file, params } = library();
const folder = makeMlc(file, join(scratch, 'tiny'));

test('the list of tensors is found in a library', () => {
  assert.deepEqual(readMetadata(file).params, params);
  writeFileSync(join(scratch, 'none.wasm'), '{"params": []}');
  assert.throws(() => readMetadata(join(scratch, 'none.wasm')), /no list of tensors/);
});

test('a model is made for it, whose letters are tokens', async () => {
  const { records } = JSON.parse(readFileSync(join(folder, 'tensor-cache.json'), 'utf8'));
  const written = records.flatMap((/** @type {any} */ shard) => shard.records);
  assert.deepEqual(written.map((/** @type {any} */ r) => ({ name: r.name, shape: r.shape, dtype: r.dtype })), params);
  const m = await openModel({ model: folder, backend: 'cpu', context: 64 });
  try {
    const session = m.core.createSession();
    const out = [];
    for (const prompt of ['bench', 'model', 'token', 'quern']) {
      const ids = [...m.core.tokenize(prompt)];
      assert.deepEqual(ids, [...prompt].map((c) => c.charCodeAt(0)));
      m.core.start(session, ids, { maxTokens: 8 });
      for await (const event of m.runner.events(session)) if (event.kind === 'token') out.push(event.id);
    }
    assert.equal(out.length, 32);
    assert.ok(new Set(out).size > 4, `tokens ${out}`);
  } finally {
    m.close();
  }
});

test('Quern alone in a page of Chromium', { skip: findChromium() ? false : 'skipped: no Chromium' }, async () => {
  const server = await serve({ mlc: scratch });
  const chromium = await openPage(server.url, { gpu: 'swiftshader' });
  try {
    const plan = { model: '/mlc/tiny/', context: 64, threads: 1, gpu: true, prompts: [4, 16], tokens: 3, warm: 1, rounds: 1 };
    const answer = await chromium.page.evaluate(async (p) => (await import(/** @type {string} */ ('/bench/page.js'))).compare(p), plan);
    assert.deepEqual(answer.runs.map((/** @type {any} */ r) => [r.engine, r.prompt, r.promptTokens, r.tokens]), [4, 4, 16, 16].map((n) => ['quern', n, n, 3]));
    for (const r of answer.runs) assert.ok(r.ttftMs > 0 && r.decodeTps > 0 && r.prefillTps > 0);
    assert.equal(answer.engines.length, 1);
    assert.match(`${answer.engines[0].device.architecture}`, /swiftshader/);
  } finally {
    await chromium.close();
    server.close();
  }
});
