// What a step asks of the GPU, counted on the tape without a GPU: a player that carries nothing out,
// answers every read-back with zeros and every fence at once. Weights are synthetic.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { Core } from '../web/core.js';
import { ModelFiles } from '../web/files.js';
import { EVENT } from '../web/gpu/player.js';
import { OP, SHAPE } from '../web/gpu/tape.gen.js';
import { Runner } from '../web/runner.js';
import { bestVariant, wasmUrl } from '../web/variants.js';

const BIG = { maxBinding: 2 ** 31 - 4, maxBuffer: 2 ** 31, maxStorageBuffers: 10, maxWorkgroupMemory: 49152, maxInvocations: 1024, maxWorkgroups: 65535 };
const SMALL = { maxBinding: 2 ** 27, maxBuffer: 2 ** 28, maxStorageBuffers: 8, maxWorkgroupMemory: 16384, maxInvocations: 256, maxWorkgroups: 65535 };

/** Devices to count for. */
export const DEVICES = {
  minimum: { features: [], ...SMALL, subgroupMin: 0, subgroupMax: 0 },
  best: { features: ['shader-f16', 'subgroups', 'subgroup-size-control', 'packed-dot', 'rows'], ...BIG, subgroupMin: 32, subgroupMax: 32 },
};

/** Numbers of commands by name, and the bytes of writes and reads. */
class Counter {
  constructor() {
    /** @type {Record<string, number>} */
    this.counts = {};
    this.writeBytes = 0;
    this.readBytes = 0;
    /** @type {import('../web/core.js').GpuEvent[]} */
    this.events = [];
    this.onEvents = () => {};
  }

  /** @param {{ buffer: ArrayBufferLike }} memory @param {number} pointer @param {number} n */
  play(memory, pointer, n) {
    const w = new Uint32Array(memory.buffer, pointer, n);
    for (let at = 0; at < n; ) {
      const shape = SHAPE[w[at]];
      const p = at + 1;
      this.counts[shape.name] = (this.counts[shape.name] ?? 0) + 1;
      if (w[at] === OP.WRITE_BUFFER) this.writeBytes += w[p + 2];
      if (w[at] === OP.READ) {
        this.readBytes += w[p + 3];
        this.events.push({ kind: EVENT.READ, tag: w[p], status: 0, bytes: new Uint8Array(w[p + 3]) });
      }
      if (w[at] === OP.FENCE) this.events.push({ kind: EVENT.FENCE, tag: w[p], status: 0 });
      at = p + shape.fixed + (shape.repeated ? shape.repeated * w[p + shape.fixed - 1] : 0);
    }
    setImmediate(this.onEvents);
    return 0;
  }

  snapshot() {
    return { ...this.counts, writeBytes: this.writeBytes, readBytes: this.readBytes };
  }
}

/**
 * @param {string} synthetic "qwen2.5-0.5b:q4f16_1"
 * @param {object} caps one of DEVICES
 * @param {{ prompt?: number, sessions?: number, sampling?: Record<string, number> }} [options] sessions: that decode at once
 */
export async function countLaunches(synthetic, caps, { prompt = 512, sessions = 1, sampling = {} } = {}) {
  const counter = new Counter();
  const none = { size: async () => null, read: async () => new Uint8Array(0), sizeSync: () => null, readSync: () => false };
  const files = new ModelFiles(none);
  const core = new Core(new WebAssembly.Module(readFileSync(fileURLToPath(wasmUrl(bestVariant({ gpu: true }))))), { files, player: counter });
  const runner = new Runner(core, files);
  counter.onEvents = () => {
    for (const event of counter.events.splice(0)) runner.onGpuEvent(event);
  };
  core.create({ main: '', synthetic, context: prompt + 64, kv: 'f16', gpu: caps });
  await runner.load();
  const compiled = counter.snapshot();
  const all = Array.from({ length: sessions }, () => core.createSession());
  const run = async (/** @type {number} */ n, /** @type {number} */ tokens, /** @type {number} */ seed) => {
    const before = counter.snapshot();
    for (const [k, session] of all.entries()) core.start(session, Array.from({ length: n }, (_, i) => 7 + ((i * 31 + seed + k) % 1000)), { maxTokens: tokens, ...sampling });
    await Promise.all(all.map(async (session) => { for await (const _ of runner.events(session)); }));
    const after = counter.snapshot();
    return /** @type {Record<string, number>} */ (Object.fromEntries(Object.entries(after).map(([k, v]) => [k, v - (/** @type {Record<string, number>} */ (before)[k] ?? 0)])));
  };
  await run(4, 8, 100);
  const short = await run(prompt, 4, 200);
  const long = await run(prompt, 36, 300);
  const prefill = await run(prompt, 1, 400);
  core.destroy();
  return {
    pipelines: compiled.CREATE_PIPELINE,
    token: Object.fromEntries(Object.keys(long).map((k) => [k, (long[k] - short[k]) / 32]).filter(([, v]) => v !== 0)),
    prefill: Object.fromEntries(Object.entries(prefill).filter(([, v]) => v !== 0)),
  };
}
