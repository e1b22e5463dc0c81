// The line of measurements under the composer.

import { byId, el } from './dom.js';
import * as format from './format.js';

const WINDOW_MS = 2000; // of the live rate

/** @type {[string, string][]} */
const ROWS = [['speed', 'Speed'], ['first', 'First token'], ['context', 'Context'], ['memory', 'Memory'], ['device', 'Runs on']];

/** @type {Map<string, HTMLElement>} */
const cells = new Map();

export function startStats() {
  for (const [key, label] of ROWS) {
    const value = el('dd', { dataset: { stat: key } }, '–');
    cells.set(key, value);
    byId('stats').append(el('div', {}, el('dt', {}, label), value));
  }
}

/** @param {string} key @param {string} text @param {string} [title] */
function show(key, text, title) {
  const cell = cells.get(key);
  if (!cell) return;
  if (cell.textContent !== text) cell.textContent = text;
  if (title !== undefined) cell.title = title;
}

/** Where the engine runs, in words. @param {import('../web/index.js').Engine['info']} info */
export function deviceName({ backend, device, variant }) {
  if (backend === 'webgpu') {
    const name = [device.description, device.device, device.architecture, device.vendor].find((s) => typeof s === 'string' && s) ?? 'GPU';
    return `WebGPU, ${name}`;
  }
  const threads = Number(device.threads ?? 1);
  return `CPU, ${variant.startsWith('threads') ? `${threads} threads` : 'one thread'}`;
}

/** @param {import('../web/index.js').Engine['info']} info */
export function showEngine(info) {
  show('speed', '–');
  show('first', '–');
  show('context', `0 / ${format.count(info.context)}`);
  const detail = [info.reason, `wasm variant: ${info.variant}`, info.quantization].filter(Boolean).join('; ');
  show('device', deviceName(info), detail);
}

/** @param {{ wasm: number, device: number }} memory */
export function showMemory({ wasm, device }) {
  show('memory', format.bytes(wasm + device), `${format.bytes(device)} on the GPU, ${format.bytes(wasm)} of WebAssembly memory`);
}

/** The numbers of one answer while it comes. */
export class Meter {
  /** @type {[number, number][]} times and counts of tokens */
  #seen = [];

  /** @param {number} context */
  constructor(context) {
    this.context = context;
    this.begun = performance.now();
    show('speed', '…');
    show('first', '…');
  }

  /** @param {{ prompt_tokens: number, completion_tokens: number }} usage so far */
  update({ prompt_tokens: prompt, completion_tokens: tokens }) {
    const now = performance.now();
    if (this.#seen.length === 0) show('first', format.milliseconds(now - this.begun));
    this.#seen.push([now, tokens]);
    while (this.#seen.length > 2 && now - this.#seen[0][0] > WINDOW_MS) this.#seen.shift();
    const [then, before] = this.#seen[0];
    if (now > then) show('speed', `${format.rate((1000 * (tokens - before)) / (now - then))} tok/s`);
    this.#context(prompt + tokens);
  }

  /** @param {number} used */
  #context(used) {
    show('context', `${format.count(Math.min(used, this.context))} / ${format.count(this.context)}`);
  }

  /** @param {import('../web/chat.js').Usage} usage of the whole answer */
  finish({ total_tokens: total, timings, prompt_tokens_details: { cached_tokens: cached }, prompt_tokens: prompt, completion_tokens: tokens }) {
    show('first', format.milliseconds(timings.time_to_first_token_ms), `prompt: ${prompt} tokens, ${cached} of them kept from before, ${format.rate(timings.prefill_tokens_per_s)} tok/s`);
    if (timings.decode_tokens_per_s) show('speed', `${format.rate(timings.decode_tokens_per_s)} tok/s`, `${tokens} tokens in ${format.milliseconds(timings.total_ms)}`);
    this.#context(total);
  }
}
