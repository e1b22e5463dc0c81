// GPTQ with act-order in the WebAssembly builds, on the CPU and on WebGPU: the same answers as the same values stored as float32.
// tests/c/test_gptq.c makes the two models.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import test, { after } from 'node:test';

import { askFresh, closeDevices, gpuDevice, openEngine, root, skipFixtures } from './lib/models.mjs';

const program = `${root}build/release/test_gptq`;
const skip = skipFixtures || (existsSync(program) ? false : 'run make test-programs first');
const folder = mkdtempSync(`${tmpdir()}/quern-`);
after(async () => {
  rmSync(folder, { recursive: true });
  await closeDevices();
});

test('gptq with act-order', { skip }, async (t) => {
  assert.equal(spawnSync(program, [folder]).status, 0);
  for (const name of readdirSync(folder)) {
    const [form, ...file] = name.split('-');
    mkdirSync(`${folder}/${form}`, { recursive: true });
    renameSync(`${folder}/${name}`, `${folder}/${form}/${file.join('-')}`);
  }
  const ids = Array.from({ length: 20 }, (_, i) => 11 + ((i * i * 7 + i * 31) % 250));
  const answer = async (/** @type {string} */ form, /** @type {Parameters<typeof openEngine>[1]} */ options) => {
    const engine = await openEngine(`${folder}/${form}`, options);
    const { ids: told, logits } = await askFresh(engine, ids, { maxTokens: 12, logits: true });
    engine.close();
    return { told, logits: logits[0] };
  };
  const want = await answer('plain', { variant: 'scalar' });
  const most = want.logits.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  assert.ok(most > 0);
  /** @type {[string, Parameters<typeof openEngine>[1]][]} */
  const ways = [['scalar', { variant: 'scalar' }], ['simd', { variant: 'simd' }], ['webgpu', { gpu: await gpuDevice([]) }]];
  for (const [name, options] of ways) {
    await t.test(name, async () => {
      const have = await answer('packed', options);
      assert.deepEqual(have.told, want.told);
      have.logits.forEach((v, i) => assert.ok(Math.abs(v - want.logits[i]) <= 1e-4 * most, `logit ${i}: ${v}, ${want.logits[i]}`));
    });
  }
});
