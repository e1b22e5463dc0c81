// A GGUF file of random weights that any engine of the format loads: Llama with SmolLM-135M's dimensions,
// a vocabulary of 4096 (single bytes, then names), linear layers and embedding of one type, norms in float32.

import { Buffer } from 'node:buffer';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

import { TENSOR, TYPE, blockBytes, tensorBytes, writeGguf } from './gguf.mjs';
import { random } from './random.js';

export const SMOLLM_135M = Object.freeze({ hidden: 576, layers: 30, heads: 9, kvHeads: 3, ff: 1536, vocab: 4096, context: 2048 });
/** The same with rows of whole blocks of 256. */
export const WHOLE_BLOCKS = Object.freeze({ hidden: 1024, layers: 16, heads: 16, kvHeads: 4, ff: 4096, vocab: 4096, context: 2048 });
/** Where a block has its float16 scales, and their exponent. @type {Record<string, { at: number[], exponent: number }>} */
const SCALES = {
  Q4_0: { at: [0], exponent: 0x2000 }, // from 2^-7
  Q8_0: { at: [0], exponent: 0x1000 },
  Q4_K: { at: [0, 2], exponent: 0x0c00 },
  Q5_K: { at: [0, 2], exponent: 0x0800 },
  Q6_K: { at: [208], exponent: 0x0400 },
  IQ4_XS: { at: [0], exponent: 0x0400 },
};

/** Random blocks. @param {keyof typeof SCALES} name @param {number[]} dims @param {() => number} next */
function quantised(name, dims, next) {
  const type = TENSOR[/** @type {'Q4_0'} */ (name)];
  const data = Buffer.alloc(tensorBytes(type, dims));
  for (let i = 0; i + 4 <= data.length; i += 4) data.writeUInt32LE(next(), i);
  for (let at = 0; at < data.length; at += blockBytes(type)) {
    for (const scale of SCALES[name].at) data.writeUInt16LE(SCALES[name].exponent | (next() & 0x1ff), at + scale);
  }
  return data;
}

/** ASCII as GPT-2's byte-level vocabulary spells it; other bytes get names, so that whatever a model of random
 *  weights says is valid UTF-8. */
function byteTokens() {
  return Array.from({ length: 256 }, (_, b) => (b >= 0x21 && b <= 0x7e ? String.fromCharCode(b) : b === 0x20 ? 'Ġ' : b === 0x0a ? 'Ċ' : `byte${b}`));
}

/** @param {string} path is written unless it is there @param {'Q4_0' | 'Q8_0' | 'Q4_K' | 'Q5_K' | 'Q6_K' | 'IQ4_XS'} type */
export function makeGguf(path, type, shape = type.includes('_K') || type === 'IQ4_XS' ? WHOLE_BLOCKS : SMOLLM_135M) {
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
    'general.name': text('synthetic'),
    'general.file_type': u32({ Q4_0: 2, Q8_0: 7, Q4_K: 14, Q5_K: 16, Q6_K: 18, IQ4_XS: 30 }[type]),
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
  const linear = (/** @type {string} */ name, /** @type {number} */ input, /** @type {number} */ output) => ({ name, dims: [input, output], type: TENSOR[type], data: quantised(type, [input, output], next) });
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
