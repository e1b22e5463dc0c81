// A GGUF file of random weights that any engine of the format loads: Llama with SmolLM-135M's dimensions,
// a vocabulary of 4096 (single bytes, then names), linear layers and embedding in Q4_0 or Q8_0, norms in float32.

import { Buffer } from 'node:buffer';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

import { TENSOR, TYPE, tensorBytes, writeGguf } from './gguf.mjs';

export const SMOLLM_135M = Object.freeze({ hidden: 576, layers: 30, heads: 9, kvHeads: 3, ff: 1536, vocab: 4096, context: 2048 });

/** Marsaglia's xorshift, 32 bits. @param {number} seed */
function random(seed) {
  let x = seed >>> 0 || 1;
  return () => {
    x ^= x << 13;
    x >>>= 0;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>>= 0);
  };
}

/** Blocks of 32 weights: a float16 scale, then nibbles, value = (nibble - 8) × scale, or signed bytes.
 *  @param {number} type @param {number[]} dims @param {() => number} next */
function quantised(type, dims, next) {
  const data = Buffer.alloc(tensorBytes(type, dims));
  const [block, exponent] = type === TENSOR.Q4_0 ? [18, 0x2000] : [34, 0x1000]; // scales from 2^-7 or 2^-11
  for (let at = 0; at < data.length; at += block) {
    data.writeUInt16LE(exponent | (next() & 0x1ff), at);
    for (let i = 2; i < block; i += 4) data.writeUInt32LE(next(), at + i);
  }
  return data;
}

/** ASCII as GPT-2's byte-level vocabulary spells it; other bytes get names, so that whatever a model of random
 *  weights says is valid UTF-8. */
function byteTokens() {
  return Array.from({ length: 256 }, (_, b) => (b >= 0x21 && b <= 0x7e ? String.fromCharCode(b) : b === 0x20 ? 'Ġ' : b === 0x0a ? 'Ċ' : `byte${b}`));
}

/** @param {string} path is written unless it is there @param {'Q4_0' | 'Q8_0'} type */
export function makeGguf(path, type, shape = SMOLLM_135M) {
  if (existsSync(path)) return path;
  const { hidden, layers, heads, kvHeads, ff, vocab, context } = shape;
  const next = random(20240229);
  const bytes = byteTokens();
  const tokens = [...bytes, '!!'];
  while (tokens.length < vocab) tokens.push(`w${tokens.length}`);
  const u32 = (/** @type {number} */ value) => ({ type: TYPE.U32, value });
  const text = (/** @type {string} */ value) => ({ type: TYPE.STRING, value });
  const meta = new Map(Object.entries({
    'general.architecture': text('llama'),
    'general.name': text('synthetic, SmolLM-135M dimensions'),
    'general.file_type': u32(type === 'Q4_0' ? 2 : 7),
    'llama.block_count': u32(layers),
    'llama.context_length': u32(context),
    'llama.embedding_length': u32(hidden),
    'llama.feed_forward_length': u32(ff),
    'llama.attention.head_count': u32(heads),
    'llama.attention.head_count_kv': u32(kvHeads),
    'llama.attention.layer_norm_rms_epsilon': { type: TYPE.F32, value: 1e-5 },
    'llama.rope.freq_base': { type: TYPE.F32, value: 10000 },
    'llama.rope.dimension_count': u32(hidden / heads),
    'llama.vocab_size': u32(vocab),
    'tokenizer.ggml.model': text('gpt2'),
    'tokenizer.ggml.pre': text('gpt-2'),
    'tokenizer.ggml.tokens': { type: TYPE.ARRAY, element: TYPE.STRING, value: tokens },
    'tokenizer.ggml.token_type': { type: TYPE.ARRAY, element: TYPE.I32, value: tokens.map((_, i) => (i === vocab - 1 ? 3 : 1)) },
    'tokenizer.ggml.merges': { type: TYPE.ARRAY, element: TYPE.STRING, value: ['! !'] },
    'tokenizer.ggml.eos_token_id': u32(vocab - 1),
    'tokenizer.ggml.bos_token_id': u32(vocab - 1),
    'tokenizer.ggml.add_bos_token': { type: TYPE.BOOL, value: false },
  }));
  const norm = (/** @type {string} */ name) => {
    const data = Buffer.alloc(4 * hidden);
    for (let i = 0; i < hidden; i++) data.writeFloatLE(0.8 + (next() % 1000) / 2500, 4 * i);
    return { name, dims: [hidden], type: TENSOR.F32, data };
  };
  const linear = (/** @type {string} */ name, /** @type {number} */ input, /** @type {number} */ output) => ({ name, dims: [input, output], type: TENSOR[type], data: quantised(TENSOR[type], [input, output], next) });
  const tensors = [linear('token_embd.weight', hidden, vocab), norm('output_norm.weight')];
  const kv = (hidden / heads) * kvHeads;
  for (let i = 0; i < layers; i++) {
    const b = `blk.${i}.`;
    tensors.push(
      norm(`${b}attn_norm.weight`), linear(`${b}attn_q.weight`, hidden, hidden), linear(`${b}attn_k.weight`, hidden, kv), linear(`${b}attn_v.weight`, hidden, kv),
      linear(`${b}attn_output.weight`, hidden, hidden), norm(`${b}ffn_norm.weight`), linear(`${b}ffn_gate.weight`, hidden, ff), linear(`${b}ffn_up.weight`, hidden, ff), linear(`${b}ffn_down.weight`, ff, hidden),
    );
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, writeGguf(meta, tensors));
  return path;
}
