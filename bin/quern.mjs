#!/usr/bin/env node
// The `quern` command on Node: the same wasm as the browser, on the CPU or, through Dawn, the GPU.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';

import { STATUS } from '../web/errors.gen.js';
import { fail, QuernError } from '../web/errors.js';
import { bench } from './bench.mjs';
import { openModel } from './host.mjs';

const HELP = `usage: quern COMMAND [MODEL] [OPTIONS]
  run [MODEL] -p TEXT [-n N] [--temp T] [--top-k K] [--top-p P] [--min-p P] [--seed S] [--raw]
  chat [MODEL]
  logits MODEL --ids 1,2,3 [--all] --json
  generate MODEL --ids 1,2,3 -n N [--temp T] [--seed S] [--stop-on-eos] --json
  tokenize MODEL (--text T | --file F [--lines]) [--no-special] --json
  detokenize MODEL (--ids 1,2,3 | --file F --lines) [--skip-special] --json
  template MODEL --messages F.json [--tools F.json] [--no-generation-prompt]
  dequant --type Q4_0 --hex … --json
  embed MODEL (--text T | --ids 1,2,3) [--pooling mean|cls|last] [--normalize] --json
  serve [MODEL] --port P [--embeddings]
  inspect MODEL [--json]
  bench [MODEL] [-p 512] [-n 128] [-d DEPTH] [-r 5] [--sessions N] [--synthetic NAME:QUANT] --json
MODEL is a .gguf file or a folder (Hugging Face or MLC layout); without it the default model.
Common: --backend cpu|webgpu|auto, --context N, --kv f32|f16|q8|q4, --device-features LIST, --variant scalar|simd|relaxed, --json
`;

/** @typedef {Record<string, string | number | boolean | undefined> & { model?: string }} Options */

const FLAGS = new Set(['--json', '--all', '--raw', '--no-special', '--skip-special', '--lines', '--no-generation-prompt', '--stop-on-eos', '--verbose', '--normalize', '--embeddings']);
const NUMBERS = new Set(['-n', '--port', '-d', '-r', '--sessions', '--threads', '--context', '--chunk', '--temp', '--top-k', '--top-p', '--min-p', '--seed']);
const WHOLE = new Set(['-n', '--port', '-d', '-r', '--sessions', '--threads', '--context', '--chunk', '--top-k']); // unsigned 32-bit
const TEXTS = new Set(['--ids', '--text', '--file', '--messages', '--tools', '--type', '--hex', '--synthetic', '--backend', '--device-features', '--variant', '--kv', '--pooling', '-p']);

class UsageError extends Error {}

const BACKENDS = ['cpu', 'webgpu', 'auto'];

/** @param {string[]} args @returns {Options} */
function parse(args) {
  /** @type {Options} */
  const o = {};
  for (let i = 0; i < args.length; i++) {
    const name = args[i];
    if (!name.startsWith('-')) {
      if (o.model !== undefined) throw new UsageError('more than one MODEL');
      o.model = name;
    } else if (FLAGS.has(name)) {
      o[name] = true;
    } else if (NUMBERS.has(name) || TEXTS.has(name)) {
      const value = args[++i];
      if (value === undefined) throw new UsageError(`${name} needs a value`);
      o[name] = NUMBERS.has(name) ? Number(value) : value;
      if (Number.isNaN(o[name]) || (WHOLE.has(name) && Number(o[name]) >>> 0 !== Number(o[name]))) throw new UsageError(`${name}: "${value}" is not a number it takes`);
    } else {
      throw new UsageError(`unknown option ${name}`);
    }
  }
  if (o.model === '') throw new UsageError('MODEL is empty');
  if (!BACKENDS.includes(String(o['--backend'] ?? 'cpu'))) throw new UsageError(`--backend is one of ${BACKENDS.join(', ')}`);
  return o;
}

/** @param {unknown} value */
const print = (value) => process.stdout.write(`${typeof value === 'string' ? value : JSON.stringify(value)}\n`);

/** Nine significant digits read back as the same float32. @param {Float32Array} values */
const floats = (values) => `[${Array.from(values, (v) => (Number.isFinite(v) ? Number(v.toPrecision(9)) : 'null')).join(',')}]`;

/** @param {unknown} list @returns {number[]} */
function ids(list) {
  const parts = String(list).replace(/^\s*\[|\]\s*$/g, '').split(',').map((s) => s.trim()).filter(Boolean);
  for (const p of parts) if (!/^\d+$/.test(p)) throw fail(STATUS.E_ARGUMENT, `--ids, "${p}" is not a token id`);
  return parts.map(Number);
}

/** @param {Options} o @param {'nothing' | 'text' | 'metadata' | 'weights'} need @param {boolean} [embeddings] */
function open(o, need, embeddings = false) {
  const features = o['--device-features'] === undefined ? undefined : String(o['--device-features']).split(',').filter((f) => f && f !== 'none');
  return openModel({
    model: o.model,
    synthetic: /** @type {string | undefined} */ (o['--synthetic']),
    backend: /** @type {any} */ (o['--backend'] ?? 'cpu'),
    deviceFeatures: features,
    variant: /** @type {any} */ (o['--variant']),
    context: /** @type {number | undefined} */ (o['--context']),
    chunk: /** @type {number | undefined} */ (o['--chunk']),
    kv: /** @type {any} */ (o['--kv']),
    need,
    embeddings,
  });
}

/** @param {Options} o @param {'nothing' | 'text' | 'metadata' | 'weights'} need @param {(m: Awaited<ReturnType<typeof open>>) => unknown} use */
async function withModel(o, need, use) {
  const m = await open(o, need);
  try {
    await use(m);
  } finally {
    m.close();
  }
}

/** @param {Options} o */
const sampling = (o) => ({
  temperature: o['--temp'] ?? 0,
  topK: o['--top-k'] ?? 0,
  topP: o['--top-p'] ?? 1,
  minP: o['--min-p'] ?? 0,
  seed: o['--seed'] ?? 0,
});

/** @param {Options} o */
async function logits(o) {
  if (o['--ids'] === undefined) throw new UsageError('logits needs --ids');
  await withModel(o, 'weights', async ({ core, runner }) => {
    if (core.info().embeddings) throw fail(STATUS.E_UNSUPPORTED, 'logits of a model for embeddings');
    const session = core.createSession();
    core.start(session, ids(o['--ids']), { logits: true, argmaxAll: o['--all'] === true });
    let argmax;
    let values;
    for await (const e of runner.events(session)) {
      if (e.logits) values = e.logits;
      if (e.kind === 'argmax') argmax = [.../** @type {Uint32Array} */ (e.ids)];
    }
    print(`{${argmax ? `"argmax":${JSON.stringify(argmax)},` : ''}"logits":${floats(/** @type {Float32Array} */ (values))}}`);
  });
}

/** @param {Options} o */
async function generate(o) {
  if (o['--ids'] === undefined || o['-n'] === undefined) throw new UsageError('generate needs --ids and -n');
  await withModel(o, 'weights', async ({ core, runner }) => {
    const session = core.createSession();
    core.start(session, ids(o['--ids']), { ...sampling(o), maxTokens: o['-n'], stopOnEos: o['--stop-on-eos'] === true });
    const out = [];
    for await (const e of runner.events(session)) if (e.kind === 'token') out.push(e.id);
    print({ ids: out });
  });
}

/** Streams one answer. @param {Awaited<ReturnType<typeof open>>} m @param {number} session @param {boolean} quiet */
async function stream(m, session, quiet) {
  const started = performance.now();
  let text = '';
  let reasoning = '';
  let reasoned = false;
  let first = 0;
  let last = 0;
  let done;
  for await (const e of m.runner.events(session)) {
    if (e.kind === 'token') {
      last = performance.now();
      first ||= last;
    }
    // What the model thinks goes to stderr: it is no part of the answer.
    const reasons = e.text ? e.channel === 'reasoning' : reasoned;
    if (reasons) reasoning += e.text;
    else text += e.text;
    if (!quiet && reasoned && !reasons) process.stderr.write('\n\n');
    if (!quiet) (reasons ? process.stderr : process.stdout).write(e.text);
    reasoned = reasons;
    if (e.kind === 'done') done = e;
  }
  const d = /** @type {import('../web/core.js').CoreEvent} */ (done);
  const usage = {
    prompt_tokens: d.promptTokens,
    completion_tokens: d.completionTokens,
    finish_reason: d.finish === 'stop' ? 'stop' : d.finish === 'cancelled' ? 'abort' : 'length',
    load_ms: Math.round(m.loadMs),
    ttft_ms: first ? Number((first - started).toFixed(1)) : 0,
    prefill_tps: first ? Number(((1000 * (d.promptTokens - d.reusedTokens)) / (first - started)).toFixed(1)) : 0,
    decode_tps: last > first ? Number(((1000 * (d.completionTokens - 1)) / (last - first)).toFixed(1)) : 0,
  };
  return { text, ...(reasoning ? { reasoning } : {}), usage };
}

/** @param {Options} o @param {{ role: string, content: string }[]} messages */
const request = (o, messages) => ({
  messages,
  max_tokens: o['-n'] ?? null,
  temperature: o['--temp'] ?? null,
  top_k: o['--top-k'] ?? null,
  top_p: o['--top-p'] ?? null,
  min_p: o['--min-p'] ?? null,
  seed: o['--seed'] ?? Math.floor(Math.random() * 2 ** 31),
});

/** @param {Options} o */
async function run(o) {
  const prompt = o['-p'];
  if (prompt === undefined) throw new UsageError('run needs -p TEXT');
  await withModel(o, 'weights', async (m) => {
    const session = m.core.createSession();
    if (o['--raw']) m.core.start(session, m.core.tokenize(String(prompt)), { ...sampling(o), maxTokens: o['-n'] ?? 256, stopOnEos: true });
    else m.core.startChat(session, request(o, [{ role: 'user', content: String(prompt) }]));
    const answer = await stream(m, session, o['--json'] === true);
    print(o['--json'] ? answer : `\n${JSON.stringify(answer.usage)}`);
  });
}

/** @param {Options} o */
async function chat(o) {
  await withModel(o, 'weights', async (m) => {
    const session = m.core.createSession();
    /** @type {{ role: string, content: string }[]} */
    const messages = [];
    process.stderr.write('Ask something; an empty line ends.\n> ');
    for await (const line of createInterface({ input: process.stdin })) {
      if (!line) break;
      messages.push({ role: 'user', content: line });
      m.core.startChat(session, request(o, messages));
      const { text } = await stream(m, session, false);
      messages.push({ role: 'assistant', content: text });
      process.stderr.write('\n> ');
    }
  });
}

/** @param {unknown} path @returns {string} */
function readText(path) {
  try {
    return readFileSync(String(path), 'utf8');
  } catch (error) {
    throw fail(STATUS.E_IO, `${path}: ${/** @type {NodeJS.ErrnoException} */ (error).code}`, error);
  }
}

/** @param {string} text @param {string} where @returns {any} */
function parseJson(text, where) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw fail(STATUS.E_JSON, `${where}: ${/** @type {Error} */ (error).message}`, error);
  }
}

/** @param {unknown} path */
const lines = (path) => readText(path).split('\n').filter((l) => l.trim()).map((l, i) => parseJson(l, `${path}, line ${i + 1}`));

/** @param {Options} o */
async function tokenize(o) {
  if ((o['--text'] === undefined) === (o['--file'] === undefined)) throw new UsageError('tokenize needs --text or --file');
  await withModel(o, 'text', ({ core }) => {
    const special = !o['--no-special'];
    if (o['--lines']) {
      for (const text of lines(o['--file'])) print([...core.tokenize(text, { special })]);
      return;
    }
    const list = [...core.tokenize(o['--text'] === undefined ? readText(o['--file']) : String(o['--text']), { special })];
    print({ ids: list, tokens: list.map((id) => core.token(id).text) });
  });
}

/** @param {Options} o */
async function detokenize(o) {
  if ((o['--ids'] === undefined) === (o['--file'] === undefined)) throw new UsageError('detokenize needs --ids or --file');
  await withModel(o, 'text', ({ core }) => {
    const skipSpecial = o['--skip-special'] === true;
    if (o['--lines']) for (const list of lines(o['--file'])) print(JSON.stringify(core.detokenize(list, { skipSpecial })));
    else print({ text: core.detokenize(ids(o['--ids'] ?? readText(o['--file'])), { skipSpecial }) });
  });
}

/** @param {Options} o */
async function template(o) {
  if (o['--messages'] === undefined) throw new UsageError('template needs --messages');
  await withModel(o, 'text', ({ core }) => {
    const given = parseJson(readText(o['--messages']), String(o['--messages']));
    const context = Array.isArray(given)
      ? { messages: given, add_generation_prompt: !o['--no-generation-prompt'], ...(o['--tools'] ? { tools: parseJson(readText(o['--tools']), String(o['--tools'])) } : {}) }
      : given;
    process.stdout.write(core.template(context));
  });
}

/** @param {Options} o */
async function dequant(o) {
  const type = o['--type'];
  const hex = String(o['--hex'] ?? '');
  if (type === undefined || o['--hex'] === undefined) throw new UsageError('dequant needs --type and --hex');
  if (hex.length % 2 || !/^[0-9a-f]*$/i.test(hex)) throw fail(STATUS.E_ARGUMENT, '--hex is not pairs of hexadecimal digits');
  await withModel({ '--synthetic': 'smollm2-360m:q4f16_1' }, 'nothing', ({ core }) => print(`{"values":${floats(core.dequant(String(type), Buffer.from(hex, 'hex')))}}`));
}

/** @param {Options} o */
async function embed(o) {
  const poolings = ['last', 'mean', 'cls']; // from 1 on; 0: the model's own
  const pooling = poolings.indexOf(String(o['--pooling'])) + 1;
  if ((o['--text'] === undefined) === (o['--ids'] === undefined)) throw new UsageError('embed needs --text or --ids');
  if (o['--pooling'] !== undefined && !pooling) throw fail(STATUS.E_UNSUPPORTED, '--pooling but mean, cls or last');
  const m = await open(o, 'weights', true);
  try {
    const session = m.core.createSession();
    const list = o['--ids'] === undefined ? m.core.tokenize(String(o['--text'])) : ids(o['--ids']);
    m.core.start(session, list, { logits: true, pooling });
    /** @type {Float64Array | undefined} */
    let sum;
    let count = 0;
    for await (const { logits } of m.runner.events(session)) {
      if (logits) count++;
      if (logits && pooling === 2 && sum) logits.forEach((v, i) => (/** @type {Float64Array} */ (sum)[i] += v));
      else if (logits) sum = Float64Array.from(logits);
    }
    const states = sum ?? new Float64Array(0);
    const scale = o['--normalize'] ? Math.hypot(...states) || 1 : pooling === 2 ? count : 1;
    print(`{"embedding":${floats(Float32Array.from(states, (v) => v / scale))}}`);
  } finally {
    m.close();
  }
}

/** @param {Options} o */
async function serveModel(o) {
  const port = o['--port'];
  if (port === undefined) throw new UsageError('serve needs --port P');
  if (Number(port) > 65535) throw new UsageError('--port is at most 65535');
  const { serve } = await import('./serve.mjs');
  const m = await open(o, 'weights', o['--embeddings'] === true);
  const model = basename(String(o.model ?? o['--synthetic'] ?? 'grist'));
  const server = await serve(m.engine(model), Number(port)).catch((error) => {
    throw fail(STATUS.E_NETWORK, `port ${port}: ${error.message}`);
  });
  process.stderr.write(`${model} answers on http://127.0.0.1:${server.port}/v1\n`);
  await new Promise((end) => process.once('SIGINT', end).once('SIGTERM', end));
  await server.close();
  m.close();
}

/** @param {Options} o */
async function inspect(o) {
  await withModel(o, 'metadata', ({ core }) => print(o['--json'] ? core.info() : JSON.stringify(core.info(), null, 2)));
}

/** @type {Record<string, ((o: Options) => Promise<void>) | null>} null: a name that is kept for later */
const COMMANDS = {
  run, chat, logits, generate, tokenize, detokenize, template, dequant, inspect,
  bench: (o) => bench(o, open, print),
  embed,
  serve: serveModel,
  classify: null, transcribe: null, onnx: null, convert: null,
};

async function main() {
  const [name, ...rest] = process.argv.slice(2);
  if (name === '--version') return print(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version);
  if (name === '--help' || name === 'help') return process.stdout.write(HELP);
  try {
    if (!Object.hasOwn(COMMANDS, name ?? '')) throw new UsageError(name ? `unknown command ${name}` : '');
    const command = COMMANDS[name];
    if (!command) throw fail(STATUS.E_UNSUPPORTED, `the command ${name} is not built yet`);
    await command(parse(rest));
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`${error.message ? `quern: ${error.message}\n` : ''}${HELP}`);
      process.exitCode = 2;
    } else {
      const told = error instanceof QuernError ? error : fail(STATUS.E_INTERNAL, String(error));
      process.stderr.write(`quern: error ${told.code}: ${told.message.replace(/\s+/g, ' ')}\n`);
      process.exitCode = 1;
    }
  }
}

await main();
