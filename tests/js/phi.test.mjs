// Phi-1.5 and Phi-2: the GPT-NeoX fixture put in their form, which computes the same. Attention and MLP share a norm
// there: what each norm of GPT-NeoX does after it has divided goes into the products behind it; and the final norm's bias into one of the logits.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';

import { askFresh, closeDevices, fixture, gpuDevice, openEngine, skipFixtures } from './lib/models.mjs';

after(closeDevices);
const [HIDDEN, HEADS, LAYERS, MLP, VOCAB] = [64, 4, 3, 256, 307];
const HEAD_DIM = HIDDEN / HEADS;

/** @typedef {{ shape: number[], data: number[] }} Tensor */

/** @param {number} h of float16 */
function half(h) {
  const [sign, exponent, fraction] = [h & 0x8000 ? -1 : 1, (h >> 10) & 31, h & 1023];
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : (2 ** -14 * fraction) / 1024);
}

/** @param {string} folder @returns {(name: string) => number[]} */
function reader(folder) {
  const bytes = readFileSync(join(folder, 'model.safetensors'));
  const end = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, end));
  return (name) => {
    const [from, to] = header[name].data_offsets;
    return Array.from({ length: (to - from) / 2 }, (_, i) => half(bytes.readUInt16LE(end + from + 2 * i)));
  };
}

/** W (n ⊙ scale + shift) + b as W' n + b'. @param {number[]} w [rows, HIDDEN] @param {number[]} b @param {number[]} scale @param {number[]} shift */
function folded(w, b, scale, shift) {
  return { w: w.map((v, i) => v * scale[i % HIDDEN]), b: b.map((v, row) => v + shift.reduce((sum, s, i) => sum + w[row * HIDDEN + i] * s, 0)) };
}

/** Rows [head, (q k v), HEAD_DIM] as [(q k v), head, HEAD_DIM]. @param {number[]} rows @param {number} columns */
function apart(rows, columns) {
  return [0, 1, 2].map((part) => Array.from({ length: HIDDEN * columns }, (_, i) => {
    const row = Math.floor(i / columns);
    return rows[((Math.floor(row / HEAD_DIM) * 3 + part) * HEAD_DIM + (row % HEAD_DIM)) * columns + (i % columns)];
  }));
}

/** @param {string} folder of GPT-NeoX @param {boolean} mlc whose names and joined q, k, v */
function tensors(folder, mlc) {
  const read = reader(folder);
  /** @type {Record<string, Tensor>} */
  const out = {};
  const put = (/** @type {string} */ name, /** @type {number[]} */ w, /** @type {number[]} */ b) => {
    out[`${name}.weight`] = { shape: w.length === b.length ? [w.length] : [b.length, w.length / b.length], data: w };
    out[`${name}.bias`] = { shape: [b.length], data: b };
  };
  const ones = Array(HIDDEN).fill(1);
  const zeros = Array(HIDDEN).fill(0);
  out[mlc ? 'transformer.embd.weight' : 'model.embed_tokens.weight'] = { shape: [VOCAB, HIDDEN], data: read('gpt_neox.embed_in.weight') };
  for (let i = 0; i < LAYERS; i++) {
    const from = `gpt_neox.layers.${i}.`;
    const to = mlc ? `transformer.h.${i}.` : `model.layers.${i}.`;
    const norm = (/** @type {string} */ name) => /** @type {const} */ ([read(`${from}${name}.weight`), read(`${from}${name}.bias`)]);
    const qkv = folded(read(`${from}attention.query_key_value.weight`), read(`${from}attention.query_key_value.bias`), ...norm('input_layernorm'));
    const up = folded(read(`${from}mlp.dense_h_to_4h.weight`), read(`${from}mlp.dense_h_to_4h.bias`), ...norm('post_attention_layernorm'));
    const [w, b] = [apart(qkv.w, HIDDEN), apart(qkv.b, 1)];
    put(`${to}${mlc ? 'ln' : 'input_layernorm'}`, ones, zeros);
    if (mlc) put(`${to}mixer.Wqkv`, w.flat(), b.flat());
    else ['q', 'k', 'v'].forEach((part, k) => put(`${to}self_attn.${part}_proj`, w[k], b[k]));
    put(`${to}${mlc ? 'mixer.out_proj' : 'self_attn.dense'}`, read(`${from}attention.dense.weight`), read(`${from}attention.dense.bias`));
    put(`${to}mlp.fc1`, up.w, up.b);
    put(`${to}mlp.fc2`, read(`${from}mlp.dense_4h_to_h.weight`), read(`${from}mlp.dense_4h_to_h.bias`));
  }
  const shift = read('gpt_neox.final_layer_norm.bias');
  const head = folded(read('embed_out.weight'), Array(VOCAB).fill(0), ones, shift);
  put(mlc ? 'lm_head.ln' : 'model.final_layernorm', read('gpt_neox.final_layer_norm.weight'), zeros);
  put(mlc ? 'lm_head.linear' : 'lm_head', head.w, head.b);
  assert.ok(head.b.some((v) => Math.abs(v) > 1e-3), 'a bias that matters');
  return out;
}

/** @param {string} source @param {string} folder @param {'hf' | 'phi' | 'phi-msft'} form */
function write(source, folder, form) {
  let at = 0;
  const list = Object.entries(tensors(source, form !== 'hf'));
  const places = list.map(([name, { shape, data }]) => ({ name, shape, from: at, to: (at += 4 * data.length) }));
  const data = Buffer.from(Float32Array.from(list.flatMap(([, t]) => t.data)).buffer);
  const put = (/** @type {string} */ name, /** @type {unknown} */ value) => writeFileSync(join(folder, name), JSON.stringify(value));
  const config = { vocab_size: VOCAB, hidden_size: HIDDEN, num_hidden_layers: LAYERS, num_attention_heads: HEADS, num_key_value_heads: HEADS, intermediate_size: MLP, hidden_act: 'gelu', layer_norm_eps: 1e-5, max_position_embeddings: 256, partial_rotary_factor: 0.25, rope_theta: 10000, tie_word_embeddings: false };
  if (form === 'hf') {
    const header = Buffer.from(JSON.stringify(Object.fromEntries(places.map(({ name, shape, from, to }) => [name, { dtype: 'F32', shape, data_offsets: [from, to] }]))));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(join(folder, 'model.safetensors'), Buffer.concat([size, header, data]));
    put('config.json', { architectures: ['PhiForCausalLM'], model_type: 'phi', ...config });
    return;
  }
  writeFileSync(join(folder, 'params_shard_0.bin'), data);
  const records = places.map(({ name, shape, from, to }) => ({ name, shape, dtype: 'float32', format: 'raw', nbytes: to - from, byteOffset: from }));
  put('ndarray-cache.json', { metadata: {}, records: [{ dataPath: 'params_shard_0.bin', format: 'raw-shard', nbytes: data.length, records }] });
  const old = { n_positions: 256, n_embd: HIDDEN, n_layer: LAYERS, n_inner: MLP, n_head: HEADS, rotary_dim: 4, layer_norm_epsilon: 1e-5, n_head_kv: HEADS, head_dim: HEAD_DIM, position_embedding_base: 10000, hidden_act: 'gelu', vocab_size: VOCAB };
  const window = { context_window_size: 256, prefill_chunk_size: 256 };
  put('mlc-chat-config.json', { model_type: form, quantization: 'q0f32', vocab_size: VOCAB, ...window, sliding_window_size: -1, attention_sink_size: -1, tokenizer_files: [], conv_template: {}, model_config: { ...(form === 'phi' ? config : old), ...window } });
}

for (const form of /** @type {const} */ (['hf', 'phi', 'phi-msft'])) {
  for (const where of ['cpu', 'gpu']) {
    test(`as ${form}, ${where}`, { skip: skipFixtures }, async () => {
      const { path, sequences } = fixture('lm/gpt_neox');
      const folder = mkdtempSync(join(tmpdir(), 'quern-phi-'));
      try {
        write(path, folder, form);
        const engine = await openEngine(folder, { gpu: where === 'gpu' ? await gpuDevice([]) : null, context: 256 });
        assert.equal(engine.core.info().architecture, 'phi');
        for (const { ids, logits_last: logits, argmax, greedy, max_abs_logit: largest, argmax_margin: margins, greedy_min_margin: least } of sequences.slice(0, 3)) {
          const got = await askFresh(engine, ids, { logits: true, argmaxAll: true });
          const off = Math.max(...logits.map((v, i) => Math.abs(v - got.logits[0][i])));
          assert.ok(off < 1e-4 * largest, `${off} of ${largest}`);
          argmax.forEach((id, i) => margins[i] > 2e-4 * largest && assert.equal(got.argmax[i], id));
          if (least > 2e-4 * largest) assert.deepEqual((await askFresh(engine, ids, { maxTokens: greedy.length })).ids, greedy);
        }
        engine.close();
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }
}
