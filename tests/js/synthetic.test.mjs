// A model of real size in a real browser: synthetic weights (random, in Qwen2.5-0.5B's exact shapes) pass
// through wasm memory to the GPU in pieces, so the heap stays small; Chromium, Dawn in Node and the CPU
// backend say the same tokens.
//
// A software adapter takes minutes for the full model, so that by default the smallest synthetic model
// stands in; QN_LONG=1 runs the full one.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';

import { openModel } from '../../bin/host.mjs';
import { findChromium, openPage, root, serve } from '../../bench/browser.mjs';

const MODEL = process.env.QN_LONG ? 'qwen2.5-0.5b:q4f16_1' : 'smollm2-360m:q4f16_1';
const IDS = [1, 2, 3, 4, 5, 6, 7, 8];
const NEW = process.env.QN_LONG ? 4 : 2;
const MOST_WASM = 200e6; // bytes

/** @param {'cpu' | 'webgpu'} backend */
async function inNode(backend) {
  const m = await openModel({ synthetic: MODEL, backend, context: 64 });
  try {
    return { ids: await collect(m), wasm: m.core.memory.buffer.byteLength, weights: m.core.info().memory.weight_bytes };
  } finally {
    m.close();
  }
}

/** @param {Awaited<ReturnType<typeof openModel>>} m */
async function collect({ core, runner }) {
  const session = core.createSession();
  const ids = [];
  core.start(session, IDS, { maxTokens: NEW });
  for await (const event of runner.events(session)) if (event.kind === 'token') ids.push(event.id);
  return ids;
}

const skip = findChromium() ? (existsSync(join(root, 'node_modules/playwright-core')) ? false : 'skipped: no playwright-core') : 'skipped: no Chromium';

test(`${MODEL} in Chromium`, { skip }, async (t) => {
  const server = await serve();
  const chromium = await openPage(server.url, { gpu: /** @type {any} */ (process.env.QN_CHROMIUM_GPU ?? 'swiftshader') });
  /** @type {{ ids: number[], wasm: number, vendor: string }} */
  let answer;
  try {
    answer = await chromium.page.evaluate(
      async ([synthetic, ids, maxTokens]) => {
        const { load } = await import(/** @type {string} */ ('/bench/adapters/quern.js'));
        const engine = await load({ synthetic, backend: 'webgpu', context: 64 });
        const out = await engine.generate({ ids, maxTokens });
        const wasm = engine.memory(); // it never shrinks: this is the peak
        engine.exit();
        return { ids: out, wasm, vendor: engine.device.description };
      },
      /** @type {const} */ ([MODEL, IDS, NEW]),
    );
  } finally {
    await chromium.close();
    server.close();
  }
  const node = await inNode('webgpu');
  const cpu = await inNode('cpu');
  t.diagnostic(`${answer.vendor}: ids ${answer.ids}; wasm memory ${(answer.wasm / 1e6).toFixed(1)} MB in Chromium, ${(node.wasm / 1e6).toFixed(1)} MB in Node; weights ${(node.weights / 1e6).toFixed(1)} MB`);
  assert.equal(answer.ids.length, NEW);
  assert.ok(answer.wasm < MOST_WASM, `${answer.wasm} bytes of wasm memory in Chromium`);
  assert.ok(answer.wasm < node.weights || node.weights < 100e6, 'the weights do not live in wasm memory');
  assert.ok(node.wasm < MOST_WASM, `${node.wasm} bytes of wasm memory in Node`);
  assert.deepEqual(answer.ids, node.ids, 'Chromium and Node');
  assert.deepEqual(answer.ids, cpu.ids, 'WebGPU and CPU');
});
