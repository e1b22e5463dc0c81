// A folder in MLC's layout with random weights for a model library that MLC compiled (MODEL.wasm): names, shapes and
// types of tensors are those that the library itself lists, so that web-llm and Quern load the same files.
//
//   node bench/synthetic_mlc.mjs LIBRARY.wasm FOLDER
//
// Four-bit codes are uniform over -7 to 7, and scales make their deviation 1/√(inputs) of a matrix; norms are 1; the last one is larger,
// so that logits differ enough for two engines that round differently to choose the same tokens for a while. The tokenizer
// has every byte as a token, no merges, and made-up words behind them: a prompt's letters are its tokens.

import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { random } from './random.js';

const SHARD = 32 << 20; // bytes, as MLC's
const WORDS = 1 << 20; // of random bits, which weights are copied from
const CODES = 15; // of 16, so that their mean is 7, MLC's code of a weight of 0
const DEVIATION = Math.sqrt((CODES * CODES - 1) / 12);
const GROUP = 32; // weights to a scale
const LOGITS = 5; // their deviation

/** What a config has beside sizes, by the library's model_type; vocabulary: of those that leave it open. @type {Record<string, Record<string, unknown>>} */
const FAMILIES = {
  qwen2: { hidden_act: 'silu', rms_norm_eps: 1e-6, rope_theta: 1e6, tie_word_embeddings: true },
  llama: { rms_norm_eps: 1e-5, position_embedding_base: 500000 },
  phi3: { vocab_size: 32064, rms_norm_eps: 1e-5, position_embedding_base: 10000, max_position_embeddings: 4096 },
  gemma2: { vocab_size: 256000, rms_norm_eps: 1e-6, position_embedding_base: 10000, hidden_activation: 'gelu_pytorch_tanh', attn_logit_softcapping: 50, final_logit_softcapping: 30, query_pre_attn_scalar: 256, sliding_window: 4096 },
};

/** @typedef {{ name: string, shape: number[], dtype: 'uint32' | 'float16' | 'float32' }} Tensor */
/** @typedef {{ model_type: string, quantization: string, context_window_size: number, prefill_chunk_size: number, sliding_window_size?: number, kv_cache: Record<string, number>, params: Tensor[] }} Metadata */

/** The JSON object around `at`, which may lie anywhere in it. @param {string} text @param {number} at */
function objectAround(text, at) {
  let begin = at;
  for (let depth = 0; depth < 1; begin--) {
    if (begin < 0) return null;
    depth += text[begin] === '{' ? 1 : text[begin] === '}' ? -1 : 0;
  }
  let end = ++begin;
  let depth = 0;
  do depth += text[end] === '{' ? 1 : text[end] === '}' ? -1 : 0;
  while (depth && ++end < text.length);
  try {
    return JSON.parse(text.slice(begin, end + 1));
  } catch {
    return null;
  }
}

/** What a library says of its model. @param {string} library path @returns {Metadata} */
export function readMetadata(library) {
  const text = readFileSync(library).toString('latin1');
  for (const { index } of text.matchAll(/"params": ?\[/g)) {
    const found = objectAround(text, index);
    if (found?.params?.[0]?.name && found.model_type) return found;
  }
  throw new Error(`${library} has no list of tensors`);
}

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** Positive normal numbers and their negatives. @param {number} value @param {Tensor['dtype']} dtype float32 is stored as bfloat16 */
function encode(value, dtype) {
  float[0] = value;
  if (dtype === 'float32') return (bits[0] + 0x8000) >>> 16;
  const exponent = ((bits[0] >>> 23) & 255) - 112;
  return exponent <= 0 ? 0 : ((bits[0] >>> 16) & 0x8000) | (exponent << 10) | ((bits[0] >>> 13) & 1023);
}

/** Eight codes. @param {() => number} next */
function word(next) {
  let out = 0;
  for (let i = 0; i < 8; i++) out = out * 16 + (next() % CODES);
  return out;
}

/** Pieces of one pool of random words, wherever they begin. @param {number} n @param {Uint32Array} pool @param {() => number} next */
function words(n, pool, next) {
  const out = new Uint32Array(n);
  for (let at = 0; at < n; ) {
    const piece = pool.subarray(next() % (WORDS >> 1)).subarray(0, n - at);
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

/** @param {Tensor} t @param {{ pool: Uint32Array, next: () => number, unit: number, last: number }} source unit: of a norm that changes nothing */
function values(t, { pool, next, unit, last }) {
  const n = t.shape.reduce((a, b) => a * b);
  if (t.dtype === 'uint32') return words(n, pool, next);
  const out = new Uint16Array(n);
  const { name, dtype } = t;
  if (/norm\.weight$/.test(name) && !/layers|\.h\./.test(name)) return out.fill(encode(last, dtype));
  if (/(norm|\.ln)\.weight$/.test(name)) return out.fill(encode(unit, dtype));
  const [low, high] = name.endsWith('scale') ? [0.75, 1.25].map((f) => f / (DEVIATION * Math.sqrt(t.shape[1] * GROUP))) : [-0.03, 0.03];
  const table = Uint16Array.from({ length: 1024 }, (_, i) => encode(low + ((high - low) * (i + 0.5)) / 1024, dtype));
  for (let i = 0; i < n; i++) out[i] = table[next() >>> 22];
  return out;
}

/** As GPT-2 writes bytes. @returns {string[]} */
function byteCharacters() {
  let other = 256;
  return Array.from({ length: 256 }, (_, b) => String.fromCharCode((b > 32 && b < 127) || (b > 160 && b !== 173) ? b : other++));
}

/** @param {number} vocab the last three are control tokens */
function tokenizer(vocab) {
  const special = ['<|begin|>', '<|end|>', '<|turn|>'];
  const ids = Object.fromEntries(byteCharacters().map((c, i) => [c, i]));
  for (let id = 256; id < vocab - special.length; id++) ids[`Ġ${id.toString(26).replace(/[0-9]/g, (d) => 'qrstuvwxyz'[Number(d)])}`] = id;
  const added = special.map((content, i) => ({ id: vocab - special.length + i, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }));
  const bytes = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false };
  const model = { type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false, byte_fallback: false, vocab: ids, merges: [] };
  return { version: '1.0', truncation: null, padding: null, added_tokens: added, normalizer: null, pre_tokenizer: bytes, post_processor: null, decoder: bytes, model };
}

/** @param {string} library path of MODEL.wasm @param {string} folder is written unless it is there @returns {string} folder */
export function makeMlc(library, folder) {
  if (existsSync(join(folder, 'mlc-chat-config.json'))) return folder;
  const meta = readMetadata(library);
  const family = FAMILIES[meta.model_type];
  if (!family) throw new Error(`${library} is of the type ${meta.model_type}; known are ${Object.keys(FAMILIES).join(', ')}`);
  const tensors = meta.params.map((t) => ({ ...t, shape: t.shape.map((d) => (typeof d === 'number' ? d : Number(family.vocab_size))) }));
  const shapeOf = (/** @type {RegExp} */ name) => /** @type {Tensor} */ (tensors.find((t) => name.test(t.name))).shape;
  const [hidden] = shapeOf(/^(model|transformer)\.norm\.weight$/);
  const [vocab] = shapeOf(/(embed_tokens|embd)\.q_weight$/);
  const unit = meta.model_type === 'gemma2' ? 0 : 1; // Gemma adds 1
  const next = random(20240607);
  const source = { pool: Uint32Array.from({ length: WORDS }, () => word(next)), next, unit, last: LOGITS - 1 + unit };
  mkdirSync(folder, { recursive: true });
  /** @type {{ dataPath: string, format: string, nbytes: number, records: unknown[] }[]} */
  const shards = [];
  let file = -1;
  for (const t of tensors) {
    const data = values(t, source);
    let shard = shards.at(-1);
    if (!shard || shard.nbytes + data.byteLength > SHARD) {
      if (file >= 0) closeSync(file);
      shard = { dataPath: `params_shard_${shards.length}.bin`, format: 'raw-shard', nbytes: 0, records: [] };
      shards.push(shard);
      file = openSync(join(folder, shard.dataPath), 'w');
    }
    shard.records.push({ name: t.name, shape: t.shape, dtype: t.dtype, format: 'f32-to-bf16', nbytes: data.byteLength, byteOffset: shard.nbytes });
    shard.nbytes += data.byteLength;
    writeSync(file, new Uint8Array(data.buffer));
  }
  closeSync(file);
  const put = (/** @type {string} */ name, /** @type {unknown} */ value) => writeFileSync(join(folder, name), JSON.stringify(value));
  const manifest = { metadata: { ParamSize: tensors.length, ParamBytes: shards.reduce((sum, s) => sum + s.nbytes, 0), BitsPerParam: 4.5 }, records: shards };
  put('ndarray-cache.json', manifest); // web-llm to 0.2.79
  put('tensor-cache.json', manifest); // and since
  put('tokenizer.json', tokenizer(vocab));
  const { context_window_size, prefill_chunk_size, kv_cache } = meta;
  const sizes = { context_window_size, prefill_chunk_size, sliding_window_size: -1, attention_sink_size: -1, tensor_parallel_shards: 1 };
  const [gateUp] = shapeOf(/gate_up_proj\.q_weight$/);
  const model = { hidden_size: hidden, intermediate_size: gateUp / 2, vocab_size: vocab, ...kv_cache, ...family, ...sizes };
  const turn = { name: 'bench', system_template: '{system_message}', system_message: '', system_prefix_token_ids: null, add_role_after_system_message: true };
  const roles = { roles: { user: 'user', assistant: 'assistant' }, role_templates: { user: '{user_message}', assistant: '{assistant_message}', tool: '{tool_message}' } };
  const ends = { messages: [], seps: ['\n'], role_content_sep: '\n', role_empty_sep: '\n', stop_str: [], stop_token_ids: [vocab - 2], function_string: '', use_function_calling: false };
  put('mlc-chat-config.json', {
    version: '0.1.0',
    model_type: meta.model_type,
    quantization: meta.quantization,
    model_config: model,
    vocab_size: vocab,
    ...sizes,
    temperature: 0.7,
    presence_penalty: 0,
    frequency_penalty: 0,
    repetition_penalty: 1,
    top_p: 0.95,
    tokenizer_files: ['tokenizer.json'],
    tokenizer_info: { token_postproc_method: 'byte_level', prepend_space_in_encode: false, strip_space_in_decode: false },
    conv_template: { ...turn, ...roles, ...ends },
    pad_token_id: vocab - 3,
    bos_token_id: vocab - 3,
    eos_token_id: vocab - 2,
  });
  return folder;
}

if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url)) {
  const [library, folder] = process.argv.slice(2);
  if (!folder) throw new Error('usage: node bench/synthetic_mlc.mjs LIBRARY.wasm FOLDER');
  console.log(makeMlc(library, folder));
}
