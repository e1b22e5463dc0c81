// Whole models of a few KiB, one per format, with tokenizer and chat template: random weights, working
// greedy generation. `node tests/js/lib/seeds.mjs` writes them where the C tests and the fuzzers
// look: fuzz/seeds/engine/tiny.gguf, tests/data/tiny_hf/, tests/data/tiny_mlc/.

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** @typedef {Record<string, Uint8Array>} Folder */

const utf8 = new TextEncoder();
const json = (/** @type {unknown} */ value) => utf8.encode(JSON.stringify(value));

export const VOCAB = 64;
// SentencePiece's kind of BPE: byte-level ones need all 256 bytes, which would not fit.
const CHARS = ['<unk>', '<0x0A>', ...'abcdefghijklmnopqrstuvwxyz0123456789.,!?:<>|_\u2581'];
const MERGES = [['t', 'h'], ['th', 'e'], ['i', 'n'], ['e', 'r'], ['a', 'n'], ['\u2581', 'the'], ['r', 'e'], ['o', 'n'], ['a', 't'], ['o', 'r'], ['i', 's'], ['\u2581', 'a'], ['e', 's']];
const SPECIAL = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'];
const TOKENS = [...CHARS, ...MERGES.map(([a, b]) => a + b), ...SPECIAL];
if (TOKENS.length !== VOCAB) throw new Error(`${TOKENS.length} tokens`);
const CHATML =
  "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** Bytes of a fixed sequence (xorshift32). @param {number} seed */
function randomBytes(seed) {
  let x = seed;
  return (/** @type {number} */ n) => {
    const bytes = new Uint8Array(n);
    for (let i = 0; i < n; i++) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      bytes[i] = x >>> 11;
    }
    return bytes;
  };
}

/** float16 values of either sign between 2^-`small` and 2^-`small`+1. @param {Uint8Array} bytes @param {number} small */
function asHalves(bytes, small) {
  for (let i = 1; i < bytes.length; i += 2) bytes[i] = (bytes[i] & 0x83) | ((15 - small) << 2);
  return bytes;
}

function tokenizerJson() {
  return json({
    version: '1.0',
    added_tokens: SPECIAL.map((content, i) => ({ id: VOCAB - 3 + i, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true })),
    normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '\u2581' },
    pre_tokenizer: null,
    post_processor: null,
    decoder: { type: 'Sequence', decoders: [{ type: 'Replace', pattern: { String: '\u2581' }, content: ' ' }, { type: 'ByteFallback' }, { type: 'Fuse' }] },
    model: {
      type: 'BPE', unk_token: '<unk>', continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: true, byte_fallback: true,
      vocab: Object.fromEntries(TOKENS.slice(0, VOCAB - 3).map((t, i) => [t, i])), merges: MERGES.map((m) => m.join(' ')),
    },
  });
}

// ---- GGUF

class Writer {
  /** @type {number[]} */
  bytes = [];
  /** @param {ArrayLike<number>} data */
  put(data) {
    for (let i = 0; i < data.length; i++) this.bytes.push(data[i]);
    return this;
  }
  u32(/** @type {number} */ v) {
    return this.put(new Uint8Array(Uint32Array.of(v).buffer));
  }
  u64(/** @type {number} */ v) {
    return this.u32(v).u32(0);
  }
  text(/** @type {string} */ s) {
    const data = utf8.encode(s);
    return this.u64(data.length).put(data);
  }
  align(/** @type {number} */ to) {
    while (this.bytes.length % to) this.bytes.push(0);
    return this;
  }
}

const T = { u32: 4, f32: 6, text: 8, list: 9, i32: 5 };

/** llama, 1 layer, hidden 32, Q4_0. @returns {Folder} */
export function tinyGguf() {
  const random = randomBytes(0x5eed);
  const blocks = (/** @type {number} */ rows, small = 4) => {
    const data = random(rows * 18); // one block of 32 weights a row: scale, nibbles
    for (let i = 0; i < rows; i++) data.set(asHalves(data.slice(i * 18, i * 18 + 2), small), i * 18);
    for (let i = 0; i < rows; i++) data[i * 18 + 1] &= 0x7f;
    return data;
  };
  const norm = () => new Uint8Array(Float32Array.from({ length: 32 }, (_, i) => 0.75 + (i % 5) / 8).buffer);
  /** @type {[string, number[], number, Uint8Array][]} */
  const tensors = [
    ['token_embd.weight', [32, VOCAB], 2, blocks(VOCAB, 6)],
    ['blk.0.attn_norm.weight', [32], 0, norm()],
    ['blk.0.attn_q.weight', [32, 32], 2, blocks(32)],
    ['blk.0.attn_k.weight', [32, 16], 2, blocks(16)],
    ['blk.0.attn_v.weight', [32, 16], 2, blocks(16)],
    ['blk.0.attn_output.weight', [32, 32], 2, blocks(32)],
    ['blk.0.ffn_norm.weight', [32], 0, norm()],
    ['blk.0.ffn_gate.weight', [32, 32], 2, blocks(32)],
    ['blk.0.ffn_up.weight', [32, 32], 2, blocks(32)],
    ['blk.0.ffn_down.weight', [32, 32], 2, blocks(32)],
    ['output_norm.weight', [32], 0, norm()],
  ];
  const f32 = (/** @type {number} */ v) => new Uint8Array(Float32Array.of(v).buffer);
  /** @type {[string, number, (w: Writer) => void][]} */
  const kvs = [
    ['general.architecture', T.text, (w) => w.text('llama')],
    ['llama.context_length', T.u32, (w) => w.u32(96)],
    ['llama.embedding_length', T.u32, (w) => w.u32(32)],
    ['llama.block_count', T.u32, (w) => w.u32(1)],
    ['llama.feed_forward_length', T.u32, (w) => w.u32(32)],
    ['llama.attention.head_count', T.u32, (w) => w.u32(2)],
    ['llama.attention.head_count_kv', T.u32, (w) => w.u32(1)],
    ['llama.attention.layer_norm_rms_epsilon', T.f32, (w) => w.put(f32(1e-5))],
    ['llama.rope.freq_base', T.f32, (w) => w.put(f32(10000))],
    ['llama.rope.dimension_count', T.u32, (w) => w.u32(16)],
    ['tokenizer.ggml.model', T.text, (w) => w.text('llama')],
    ['tokenizer.ggml.tokens', T.list, (w) => TOKENS.reduce((v, t) => v.text(t), w.u32(T.text).u64(VOCAB))],
    ['tokenizer.ggml.token_type', T.list, (w) => TOKENS.reduce((v, _, i) => v.u32(i === 0 ? 2 : i === 1 ? 6 : i < VOCAB - 3 ? 1 : 3), w.u32(T.i32).u64(VOCAB))],
    ['tokenizer.ggml.scores', T.list, (w) => TOKENS.reduce((v, _, i) => v.put(f32(-i)), w.u32(T.f32).u64(VOCAB))],
    ['tokenizer.ggml.eos_token_id', T.u32, (w) => w.u32(VOCAB - 1)],
    ['tokenizer.chat_template', T.text, (w) => w.text(CHATML)],
  ];
  const w = new Writer().put(utf8.encode('GGUF')).u32(3).u64(tensors.length).u64(kvs.length);
  for (const [name, type, write] of kvs) write(w.text(name).u32(type));
  let offset = 0;
  for (const [name, dims, type, data] of tensors) {
    w.text(name).u32(dims.length);
    for (const d of dims) w.u64(d);
    w.u32(type).u64(offset);
    offset += Math.ceil(data.length / 32) * 32;
  }
  for (const [, , , data] of tensors) w.align(32).put(data);
  return { 'tiny.gguf': Uint8Array.from(w.align(32).bytes) };
}

// ---- safetensors and MLC

const CONFIG = {
  model_type: 'llama', hidden_size: 16, intermediate_size: 16, num_attention_heads: 2, num_key_value_heads: 1, num_hidden_layers: 1,
  head_dim: 8, vocab_size: VOCAB, max_position_embeddings: 96, rms_norm_eps: 1e-5, rope_theta: 10000, hidden_act: 'silu',
  tie_word_embeddings: true, eos_token_id: VOCAB - 1,
};

/** Tensors of one float16 llama layer: name and shape. @param {number} hidden @returns {[string, number[]][]} */
const shapes = (hidden) => [
  ['model.embed_tokens.weight', [VOCAB, hidden]],
  ['model.layers.0.input_layernorm.weight', [hidden]],
  ['model.layers.0.self_attn.q_proj.weight', [hidden, hidden]],
  ['model.layers.0.self_attn.k_proj.weight', [hidden / 2, hidden]],
  ['model.layers.0.self_attn.v_proj.weight', [hidden / 2, hidden]],
  ['model.layers.0.self_attn.o_proj.weight', [hidden, hidden]],
  ['model.layers.0.post_attention_layernorm.weight', [hidden]],
  ['model.layers.0.mlp.gate_proj.weight', [hidden, hidden]],
  ['model.layers.0.mlp.up_proj.weight', [hidden, hidden]],
  ['model.layers.0.mlp.down_proj.weight', [hidden, hidden]],
  ['model.norm.weight', [hidden]],
];

/** @returns {Folder} */
export function tinyHf() {
  const random = randomBytes(0xf00d);
  /** @type {Record<string, unknown>} */
  const header = {};
  const data = new Writer();
  for (const [name, shape] of shapes(16)) {
    const begin = data.bytes.length;
    data.put(asHalves(random(2 * shape.reduce((a, b) => a * b)), shape.length > 1 ? 2 : 0));
    header[name] = { dtype: 'F16', shape, data_offsets: [begin, data.bytes.length] };
  }
  const head = json(header);
  return {
    'config.json': json({ architectures: ['LlamaForCausalLM'], ...CONFIG }),
    'model.safetensors': Uint8Array.from(new Writer().u64(head.length).put(head).put(data.bytes).bytes),
    'tokenizer.json': tokenizerJson(),
    'tokenizer_config.json': json({ chat_template: CHATML, eos_token: '<|im_end|>' }),
  };
}

/** q4f16_1: words of eight nibbles and float16 scales, hidden 32. @returns {Folder} */
export function tinyMlc() {
  const random = randomBytes(0xcafe);
  const records = [];
  const data = new Writer();
  const add = (/** @type {string} */ name, /** @type {string} */ dtype, /** @type {number[]} */ shape, /** @type {Uint8Array} */ bytes) => {
    records.push({ name, shape, dtype, format: 'f32-to-bf16', nbytes: bytes.length, byteOffset: data.bytes.length });
    data.put(bytes);
  };
  const matrix = (/** @type {string} */ name, /** @type {number} */ rows) => {
    add(`${name}.q_weight`, 'uint32', [rows, 4], random(rows * 16));
    const scales = asHalves(random(rows * 2), 5);
    for (let i = 1; i < scales.length; i += 2) scales[i] &= 0x7f;
    add(`${name}.q_scale`, 'float16', [rows, 1], scales);
  };
  const norm = (/** @type {string} */ name) => add(name, 'float16', [32], asHalves(random(64), 0));
  matrix('model.embed_tokens', VOCAB);
  norm('model.layers.0.input_layernorm.weight');
  matrix('model.layers.0.self_attn.qkv_proj', 64);
  matrix('model.layers.0.self_attn.o_proj', 32);
  norm('model.layers.0.post_attention_layernorm.weight');
  matrix('model.layers.0.mlp.gate_up_proj', 64);
  matrix('model.layers.0.mlp.down_proj', 32);
  norm('model.norm.weight');
  const { model_type, ...config } = { ...CONFIG, hidden_size: 32, intermediate_size: 32, head_dim: 16, context_window_size: 96, prefill_chunk_size: 96 };
  return {
    'mlc-chat-config.json': json({
      version: '0.1.0', model_type, quantization: 'q4f16_1', model_config: config, vocab_size: VOCAB, context_window_size: 96, eos_token_id: VOCAB - 1,
      temperature: 0.7, top_p: 0.9, tokenizer_files: ['tokenizer.json'],
      conv_template: {
        name: 'chatml', system_template: '<|im_start|>system\n{system_message}<|im_end|>\n', system_message: 'be good.',
        roles: { user: '<|im_start|>user', assistant: '<|im_start|>assistant' }, seps: ['<|im_end|>\n'], role_content_sep: '\n', role_empty_sep: '\n',
        stop_str: ['<|im_end|>'], stop_token_ids: [VOCAB - 1],
      },
    }),
    'tensor-cache.json': json({ metadata: { ParamSize: records.length }, records: [{ dataPath: 'params_shard_0.bin', format: 'raw-shard', nbytes: data.bytes.length, records }] }),
    'params_shard_0.bin': Uint8Array.from(data.bytes),
    'tokenizer.json': tokenizerJson(),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  const write = (/** @type {string} */ folder, /** @type {Folder} */ files) => {
    for (const [name, bytes] of Object.entries(files)) {
      mkdirSync(dirname(`${root}${folder}/${name}`), { recursive: true });
      writeFileSync(`${root}${folder}/${name}`, bytes);
    }
  };
  write('fuzz/seeds/engine', tinyGguf());
  write('tests/data/tiny_hf', tinyHf());
  write('tests/data/tiny_mlc', tinyMlc());
}
