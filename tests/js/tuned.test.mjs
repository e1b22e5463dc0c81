// What web/tuned.js keeps between starts, over a Cache API of a few lines.

import assert from 'node:assert/strict';
import test from 'node:test';

import { recallChoice, rememberChoice } from '../../web/tuned.js';

/** @typedef {import('../../web/gpu/device.js').OpenDevice} OpenDevice */

/** @type {Map<string, string>} */
const kept = new Map();
const scope = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (globalThis));
const cache = {
  match: async (/** @type {string} */ url) => (kept.has(url) ? new Response(kept.get(url)) : undefined),
  put: async (/** @type {string} */ url, /** @type {Response} */ response) => void kept.set(url, await response.text()),
};

/** @param {string} device @param {string[]} features */
const gpu = (device, features = ['subgroups', 'packed-dot']) =>
  /** @type {OpenDevice} */ (/** @type {unknown} */ ({ device: {}, info: { vendor: 'v', architecture: 'a', device, description: '', fallback: false }, caps: { features } }));

const choice = { measured: 7, kernels: 123456789, fill: 48, tile: 3, without: 16 };

test('what was measured is kept by adapter and features', async () => {
  scope.location = { href: 'https://example.org/app/' };
  scope.caches = { open: async () => cache };
  assert.deepEqual(await recallChoice(gpu('one')), {});
  await rememberChoice(gpu('one'), choice);
  assert.deepEqual(await recallChoice(gpu('one')), choice);
  assert.deepEqual(await recallChoice(gpu('two')), {});
  assert.deepEqual(await recallChoice(gpu('one', ['subgroups'])), {});
  assert.ok([...kept.keys()].every((url) => url.startsWith('https://example.org/.quern/')));
});

test('what nobody can read is as good as nothing', async () => {
  for (const text of ['', 'null', '96', '{']) {
    for (const url of kept.keys()) kept.set(url, text);
    assert.deepEqual(Object.values(await recallChoice(gpu('one'))).filter((v) => v !== undefined), [], text);
  }
  for (const url of kept.keys()) kept.set(url, JSON.stringify({ ...choice, later: 'unknown' }));
  assert.deepEqual(await recallChoice(gpu('one')), choice); // the engine would refuse what it does not know
});

test('without such a storage it is measured each time', async () => {
  scope.caches = { open: async () => { throw new Error('denied'); } };
  await rememberChoice(gpu('one'), choice);
  assert.deepEqual(await recallChoice(gpu('one')), {});
  delete scope.caches;
  assert.deepEqual(await recallChoice(gpu('one')), {});
});
