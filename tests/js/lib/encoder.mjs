// An encoder that takes texts: the fixture's MiniLM, with the vocabulary of the BERT tokenizer.

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const fixtures = join(resolve(process.env.QN_SHARED ?? '../shared'), 'fixtures');
const HIDDEN = 48;
const TOKENIZER_SIZE = 1000;
/** How many ids the fixture has. Its texts have tokens of two types, requests only of the first: id + VOCAB is id with the second type. */
export const VOCAB = 199;

/** @typedef {{ shape: number[], data: Float32Array }} Tensor */

/** @returns {Record<string, Tensor>} */
function readTensors() {
  const bytes = readFileSync(join(fixtures, 'enc/minilm/model.safetensors'));
  const end = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, end));
  /** @type {Record<string, Tensor>} */
  const tensors = {};
  delete header.__metadata__;
  for (const [name, { shape, data_offsets: [from, to] }] of Object.entries(header)) tensors[name] = { shape, data: new Float32Array(bytes.buffer.slice(bytes.byteOffset + end + from, bytes.byteOffset + end + to)) };
  const { data: words } = tensors['embeddings.word_embeddings.weight'];
  const { data: types } = tensors['embeddings.token_type_embeddings.weight'];
  const data = Float32Array.from({ length: TOKENIZER_SIZE * HIDDEN }, (_, i) => {
    const [row, column] = [Math.floor(i / HIDDEN), i % HIDDEN];
    const word = words[(row % VOCAB) * HIDDEN + column];
    return Math.floor(row / VOCAB) % 2 ? word + Math.fround(types[HIDDEN + column] - types[column]) : word;
  });
  tensors['embeddings.word_embeddings.weight'] = { shape: [TOKENIZER_SIZE, HIDDEN], data };
  return tensors;
}

/** q, k and v in one, as mlc-llm has them. @param {Record<string, Tensor>} tensors */
function joined(tensors) {
  /** @type {Record<string, Tensor>} */
  const out = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    const [, before, part, after] = /^(.*\.self\.)(query|key|value)(\..*)$/.exec(name) ?? [];
    if (part && part !== 'query') continue;
    if (!part) out[name] = tensor;
    else {
      const parts = ['query', 'key', 'value'].map((p) => tensors[before + p + after]);
      out[`${before}qkv${after}`] = { shape: [3 * HIDDEN, ...tensor.shape.slice(1)], data: Float32Array.from(parts.flatMap((p) => [...p.data])) };
    }
  }
  return out;
}

/** @param {string} folder is made @param {'hf' | 'mlc'} format */
export function writeEncoder(folder, format) {
  mkdirSync(join(folder, '1_Pooling'), { recursive: true });
  copyFileSync(join(fixtures, 'tokenizers/bert_uncased/tokenizer.json'), join(folder, 'tokenizer.json'));
  const config = { ...JSON.parse(readFileSync(join(fixtures, 'enc/minilm/config.json'), 'utf8')), vocab_size: TOKENIZER_SIZE };
  const tensors = format === 'mlc' ? joined(readTensors()) : readTensors();
  const put = (/** @type {string} */ name, /** @type {unknown} */ value) => writeFileSync(join(folder, name), JSON.stringify(value));
  let at = 0;
  const places = Object.entries(tensors).map(([name, { shape, data }]) => {
    const from = at;
    at += data.byteLength;
    return { name, shape, from, to: at };
  });
  const data = Buffer.concat(Object.values(tensors).map((t) => new Uint8Array(t.data.buffer)));
  if (format === 'hf') {
    const header = Buffer.from(JSON.stringify(Object.fromEntries(places.map(({ name, shape, from, to }) => [name, { dtype: 'F32', shape, data_offsets: [from, to] }]))));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(join(folder, 'model.safetensors'), Buffer.concat([size, header, data]));
    put('config.json', config);
    for (const name of ['modules.json', '1_Pooling/config.json']) copyFileSync(join(fixtures, 'enc/minilm', name), join(folder, name));
    return;
  }
  writeFileSync(join(folder, 'params_shard_0.bin'), data);
  const records = places.map(({ name, shape, from, to }) => ({ name, shape, dtype: 'float32', format: 'raw', nbytes: to - from, byteOffset: from }));
  put('ndarray-cache.json', { metadata: {}, records: [{ dataPath: 'params_shard_0.bin', format: 'raw-shard', nbytes: data.length, records }] });
  const { vocab_size, hidden_size, num_hidden_layers, num_attention_heads, intermediate_size, hidden_act, layer_norm_eps } = config;
  const window = { context_window_size: config.max_position_embeddings, prefill_chunk_size: config.max_position_embeddings };
  put('mlc-chat-config.json', {
    model_type: 'bert', quantization: 'q0f32', vocab_size, ...window, sliding_window_size: -1, attention_sink_size: -1, tokenizer_files: ['tokenizer.json'], conv_template: {},
    model_config: { vocab_size, hidden_size, num_hidden_layers, num_attention_heads, intermediate_size, hidden_act, layer_norm_eps, ...window, head_dim: hidden_size / num_attention_heads },
  });
}
