// The model of a synthetic GGUF file (bench/synthetic_gguf.mjs, Q4_0) as transformers.js loads it: a folder
// with config.json and onnx/model_q4.onnx, a graph as the package's own exports have it –
// GroupQueryAttention with rotation inside (of neighbours, as llama.cpp orders a head), SkipSimplifiedLayerNormalization,
// MatMulNBits over the file's own four bits and scales (float32). ONNX is protocol buffers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.

import { Buffer } from 'node:buffer';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { readGguf } from './gguf.mjs';

const FLOAT = 1;
const UINT8 = 2;
const INT32 = 6;
const INT64 = 7;
const ATTRIBUTE = { float: 1, int: 2 };

/** @param {number | bigint} value @returns {number[]} */
function varint(value) {
  let v = BigInt.asUintN(64, BigInt(value));
  const out = [];
  for (; v > 127n; v >>= 7n) out.push(Number(v & 127n) | 128);
  return [...out, Number(v)];
}

/** A field of a message: a whole number, a text, or bytes. @param {number} number @param {number | bigint | string | Uint8Array} value */
function field(number, value) {
  if (typeof value === 'number' || typeof value === 'bigint') return Buffer.from([...varint(number << 3), ...varint(value)]);
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([Buffer.from([...varint((number << 3) | 2), ...varint(bytes.length)]), bytes]);
}

/** @param {(Uint8Array | Uint8Array[])[]} parts */
const message = (...parts) => Buffer.concat(parts.flat());

/** @param {string} name @param {number} type @param {number[]} dims @param {Uint8Array | Float32Array | BigInt64Array} data */
function tensor(name, type, dims, data) {
  return field(5, message(dims.map((d) => field(1, d)), field(2, type), field(8, name), field(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))));
}

/** Numbers with a point are floats. @param {string} op @param {string[]} inputs @param {string[]} outputs @param {Record<string, number | { float: number }>} [attributes] @param {string} [domain] */
function node(op, inputs, outputs, attributes = {}, domain = '') {
  const list = Object.entries(attributes).map(([name, value]) => {
    if (typeof value === 'number') return field(5, message(field(1, name), field(3, value), field(20, ATTRIBUTE.int)));
    const f = Buffer.alloc(5);
    f[0] = (2 << 3) | 5;
    f.writeFloatLE(value.float, 1);
    return field(5, message(field(1, name), f, field(20, ATTRIBUTE.float)));
  });
  return field(1, message(inputs.map((i) => field(1, i)), outputs.map((o) => field(2, o)), field(3, `${op}/${outputs[0]}`), field(4, op), list, field(7, domain)));
}

/** An input (11) or output (12) of the graph. @param {11 | 12} which @param {string} name @param {number} type @param {(string | number)[]} dims */
function value(which, name, type, dims) {
  const shape = dims.map((d) => field(1, typeof d === 'string' ? field(2, d) : field(1, d)));
  return field(which, message(field(1, name), field(2, field(1, message(field(1, type), field(2, message(shape)))))));
}

/** @param {number} bits of a float16 that is normal or zero */
function half(bits) {
  const e = (bits >> 10) & 31;
  return e === 0 ? 0 : (bits & 0x8000 ? -1 : 1) * (1 + (bits & 1023) / 1024) * 2 ** (e - 15);
}

/** Blocks of Q4_0 (scale, then element j beside j + 16) as MatMulNBits has them (2j beside 2j + 1). @param {Uint8Array} data */
function fourBits(data) {
  const n = data.length / 18;
  const values = new Uint8Array(n * 16);
  const scales = new Float32Array(n);
  for (let b = 0; b < n; b++) {
    const at = b * 18;
    scales[b] = half(data[at] | (data[at + 1] << 8));
    for (let j = 0; j < 32; j++) {
      const q = j < 16 ? data[at + 2 + j] & 15 : data[at + 2 + j - 16] >> 4;
      values[b * 16 + (j >> 1)] |= q << ((j & 1) * 4);
    }
  }
  return { values, scales };
}

/** @param {string} folder is written unless it is there @param {string} gguf @param {number} accuracy level of MatMulNBits: 4 computes with 8-bit activations */
export function makeOnnx(folder, gguf, accuracy = 4) {
  const path = join(folder, 'onnx/model_q4.onnx');
  if (existsSync(path)) return folder;
  const { meta, tensors } = readGguf(readFileSync(gguf));
  const of = (/** @type {string} */ key) => meta.get(key)?.value;
  const [hidden, layers, heads, kvHeads, ff, vocab] = ['llama.embedding_length', 'llama.block_count', 'llama.attention.head_count', 'llama.attention.head_count_kv', 'llama.feed_forward_length', 'llama.vocab_size'].map(of);
  const context = of('llama.context_length');
  const head = hidden / heads;
  const epsilon = { float: of('llama.attention.layer_norm_rms_epsilon') };
  const base = of('llama.rope.freq_base');
  const weights = new Map(tensors.map((t) => [t.name, t]));

  const cos = new Float32Array((context * head) / 2);
  const sin = new Float32Array((context * head) / 2);
  for (let p = 0; p < context; p++) {
    for (let i = 0; i < head / 2; i++) {
      const angle = p * base ** ((-2 * i) / head);
      cos[(p * head) / 2 + i] = Math.cos(angle);
      sin[(p * head) / 2 + i] = Math.sin(angle);
    }
  }
  const one = new BigInt64Array([1n]);
  const parts = [
    tensor('cos', FLOAT, [context, head / 2], cos), tensor('sin', FLOAT, [context, head / 2], sin),
    tensor('one', INT64, [1], one), tensor('index', INT64, [], one), tensor('axis', INT64, [1], one),
    value(11, 'input_ids', INT64, ['batch_size', 'sequence_length']), value(11, 'attention_mask', INT64, ['batch_size', 'total_sequence_length']),
    value(12, 'logits', FLOAT, ['batch_size', 'sequence_length', vocab]),
    node('Shape', ['attention_mask'], ['mask_shape']), node('Gather', ['mask_shape', 'index'], ['total64'], { axis: 0 }), node('Cast', ['total64'], ['total'], { to: INT32 }),
    node('ReduceSum', ['attention_mask', 'axis'], ['lengths64'], { keepdims: 0 }), node('Sub', ['lengths64', 'one'], ['last64']), node('Cast', ['last64'], ['last'], { to: INT32 }),
    node('Gather', ['embedding', 'input_ids'], ['x'], { axis: 0 }),
  ];
  const norm = (/** @type {string} */ name) => parts.push(tensor(name, FLOAT, [hidden], Buffer.from(/** @type {any} */ (weights.get(name)).data)));
  const product = (/** @type {string} */ name, /** @type {string} */ x, /** @type {string} */ y) => {
    const { dims: [k, n], data } = /** @type {any} */ (weights.get(name));
    const { values, scales } = fourBits(data);
    parts.push(tensor(`${name}.q4`, UINT8, [n, k / 32, 16], values), tensor(`${name}.scales`, FLOAT, [n, k / 32], scales));
    parts.push(node('MatMulNBits', [x, `${name}.q4`, `${name}.scales`], [y], { K: k, N: n, bits: 4, block_size: 32, accuracy_level: accuracy }, 'com.microsoft'));
  };
  {
    const { values, scales } = fourBits(/** @type {any} */ (weights.get('token_embd.weight')).data);
    const table = new Float32Array(vocab * hidden);
    for (let i = 0; i < table.length; i++) table[i] = (((values[i >> 1] >> ((i & 1) * 4)) & 15) - 8) * scales[i >> 5];
    parts.push(tensor('embedding', FLOAT, [vocab, hidden], table));
  }
  norm('blk.0.attn_norm.weight');
  parts.push(node('SimplifiedLayerNormalization', ['x', 'blk.0.attn_norm.weight'], ['h0'], { axis: -1, epsilon, stash_type: 1 }));
  let x = 'x';
  for (let i = 0; i < layers; i++) {
    const b = `blk.${i}.`;
    for (const w of ['q', 'k', 'v']) product(`${b}attn_${w}.weight`, `h${i}`, `${w}${i}`);
    const [key, val] = [`past_key_values.${i}.key`, `past_key_values.${i}.value`];
    for (const [at, past] of [[key, `present.${i}.key`], [val, `present.${i}.value`]]) {
      parts.push(value(11, at, FLOAT, ['batch_size', kvHeads, 'past_sequence_length', head]), value(12, past, FLOAT, ['batch_size', kvHeads, 'total_sequence_length', head]));
    }
    parts.push(node('GroupQueryAttention', [`q${i}`, `k${i}`, `v${i}`, key, val, 'last', 'total', 'cos', 'sin'], [`a${i}`, `present.${i}.key`, `present.${i}.value`],
      { num_heads: heads, kv_num_heads: kvHeads, do_rotary: 1, rotary_interleaved: 1, scale: { float: 1 / Math.sqrt(head) }, local_window_size: -1 }, 'com.microsoft'));
    product(`${b}attn_output.weight`, `a${i}`, `o${i}`);
    norm(`${b}ffn_norm.weight`);
    parts.push(node('SkipSimplifiedLayerNormalization', [x, `o${i}`, `${b}ffn_norm.weight`], [`f${i}`, '', '', `r${i}`], { epsilon }, 'com.microsoft'));
    product(`${b}ffn_gate.weight`, `f${i}`, `g${i}`);
    product(`${b}ffn_up.weight`, `f${i}`, `u${i}`);
    parts.push(node('Sigmoid', [`g${i}`], [`s${i}`]), node('Mul', [`g${i}`, `s${i}`], [`t${i}`]), node('Mul', [`t${i}`, `u${i}`], [`m${i}`]));
    product(`${b}ffn_down.weight`, `m${i}`, `d${i}`);
    const next = i + 1 < layers ? `blk.${i + 1}.attn_norm.weight` : 'output_norm.weight';
    norm(next);
    parts.push(node('SkipSimplifiedLayerNormalization', [`r${i}`, `d${i}`, next], [`h${i + 1}`, '', '', `x${i + 1}`], { epsilon }, 'com.microsoft'));
    x = `x${i + 1}`;
  }
  product('token_embd.weight', `h${layers}`, 'logits');
  const graph = message(field(2, 'synthetic'), parts);
  const imports = [field(8, message(field(1, ''), field(2, 14))), field(8, message(field(1, 'com.microsoft'), field(2, 1)))];
  mkdirSync(join(folder, 'onnx'), { recursive: true });
  writeFileSync(path, message(field(1, 8), field(7, graph), imports));
  const config = {
    architectures: ['LlamaForCausalLM'], model_type: 'llama', hidden_size: hidden, intermediate_size: ff, num_hidden_layers: layers, num_attention_heads: heads,
    num_key_value_heads: kvHeads, head_dim: head, vocab_size: vocab, max_position_embeddings: context, rms_norm_eps: epsilon.float, rope_theta: base, hidden_act: 'silu', tie_word_embeddings: true,
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  writeFileSync(join(folder, 'generation_config.json'), '{}');
  return folder;
}
