// The CPU backend's threads: web/threads.js and web/thread.js as they are, with Node's workers in the browser's place.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Worker as NodeWorker } from 'node:worker_threads';

import { startThreads } from '../../web/threads.js';
import { askFresh, fixture, openEngine, skipFixtures } from './lib/models.mjs';

const NAME = 'gguf/qwen2_Q4_0';
const THREADS = 3;

/** @type {NodeWorker[]} */
let workers = [];

/** What thread.js expects of a browser's worker. @type {any} */
const scope = globalThis;
scope.Worker = class {
  /** @param {string} url */
  constructor(url) {
    const code = `const { parentPort } = require('node:worker_threads');
      globalThis.addEventListener = (_, listener) => parentPort.once('message', (data) => listener({ data }));
      globalThis.close = () => parentPort.close();
      import(${JSON.stringify(url)});`;
    this.worker = new NodeWorker(code, { eval: true });
    workers.push(this.worker);
  }
  /** @param {unknown} message */
  postMessage(message) {
    this.worker.postMessage(message);
  }
};

/** An answer and its logits. @param {Awaited<ReturnType<typeof openEngine>>} engine */
async function answer(engine) {
  const { ids } = fixture(NAME).sequences[2];
  const { ids: tokens } = await askFresh(engine, ids, { maxTokens: 24 });
  const { logits } = await askFresh(engine, ids, { logits: true });
  return { tokens, logits: [...logits[0]] };
}

const exited = () => Promise.all(workers.map((w) => new Promise((resolve) => (w.threadId < 0 ? resolve(0) : w.once('exit', resolve)))));

test('threads', { skip: skipFixtures }, async (t) => {
  const open = (/** @type {Parameters<typeof openEngine>[1]} */ options) => openEngine(fixture(NAME).path, options);
  const alone = await open({ variant: 'simd' });
  const want = await answer(alone);
  alone.close();
  t.afterEach(() => (workers = []));

  await t.test('compute what one computes, and end with the engine', async () => {
    const engine = await open({ variant: 'threads', threads: THREADS, start: startThreads });
    assert.equal(workers.length, THREADS - 1);
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50 * i)); // they start, work, sleep, wake
      assert.deepEqual(await answer(engine), want);
    }
    const ends = exited();
    engine.close();
    await ends;
  });

  await t.test('that never start are not waited for', async () => {
    const engine = await open({ variant: 'threads', threads: THREADS });
    assert.deepEqual(await answer(engine), want);
    engine.close();
  });

  await t.test('that are ended while they wait are not waited for', async () => {
    const engine = await open({ variant: 'threads', threads: THREADS, start: startThreads });
    assert.deepEqual(await answer(engine), want);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await workers[0].terminate();
    assert.deepEqual(await answer(engine), want);
    engine.close();
    await workers[1].terminate();
  });
});
