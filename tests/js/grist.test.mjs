// The default model (models/grist) as the engine runs it on the CPU, against models/grist/golden.json:
// logits, arg-max and greedy tokens of float32 arithmetic on the stored 4-bit weights, and rendered chats.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';

import { askFresh, openEngine, root } from './lib/models.mjs';

/** @typedef {{ text: string, ids: number[], top: [number, number][], argmax: number[], greedy: number[], greedy_text: string, logits_last?: number[] }} GoldenSequence */
/** @typedef {{ messages: { role: string, content: string }[], prompt: string, ids: number[] }} GoldenChat */
/** @typedef {{ name: string, sequences: GoldenSequence[], chats: GoldenChat[] }} Golden */

const folder = join(root, 'models', 'grist');
/** @param {string} name */
const read = (name) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
/** @type {Golden} */
const golden = read('golden.json');

// Of the largest |logit|. Reference and engine both round in float32 only, in another order of sums,
// through 10 layers; the reference was itself checked to 2e-5 against another implementation.
const TOLERANCE = 3e-4;

const engine = await openEngine(folder, { context: 256 });
after(() => engine.close());

/** Logits after the last token, and the arg-max at every position. @param {GoldenSequence} sequence */
async function forward(sequence) {
  const { logits, argmax } = await askFresh(engine, sequence.ids, { logits: true, argmaxAll: true });
  assert.equal(logits.length, 1);
  return { logits: logits[0], argmax };
}

/** The two largest values of a row: how far apart the first choice is from the second. @param {Float32Array} row */
function margin(row) {
  let first = -Infinity;
  let second = -Infinity;
  for (const v of row) {
    if (v > first) [first, second] = [v, first];
    else if (v > second) second = v;
  }
  return first - second;
}

test('every shard is what the manifest says', () => {
  for (const shard of read('tensor-cache.json').records) {
    const blob = readFileSync(join(folder, shard.dataPath));
    assert.equal(blob.length, shard.nbytes, shard.dataPath);
    assert.equal(createHash('md5').update(blob).digest('hex'), shard.md5sum, shard.dataPath);
  }
});

test('prompts have the reference ids, and ids the reference text', () => {
  for (const { text, ids, greedy, greedy_text: said } of golden.sequences) {
    assert.deepEqual([...engine.core.tokenize(text)], ids, text);
    assert.equal(engine.core.detokenize(greedy), said, text);
  }
});

test('logits and arg-max are the reference values', async () => {
  assert.ok(golden.sequences.some((s) => s.logits_last), 'one row of logits is stored whole');
  for (const sequence of golden.sequences) {
    const { logits, argmax } = await forward(sequence);
    const largest = logits.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    const limit = TOLERANCE * largest;
    const wanted = sequence.logits_last ? [...sequence.logits_last.entries()] : sequence.top;
    assert.ok(wanted.length >= 20, sequence.text);
    for (const [id, value] of wanted) {
      assert.ok(Math.abs(logits[id] - value) <= limit, `${sequence.text}: logit of ${id} is ${logits[id]}, not ${value} (limit ${limit})`);
    }
    const best = [...logits.keys()].reduce((a, b) => (logits[b] > logits[a] ? b : a), 0);
    assert.ok(margin(logits) > limit, `${sequence.text}: no near-tie`);
    assert.equal(best, sequence.top[0][0], sequence.text);
    assert.deepEqual(argmax, sequence.argmax, `${sequence.text}: arg-max at every position`);
  }
});

test('greedy tokens are the reference tokens', async () => {
  for (const sequence of golden.sequences) {
    const { ids } = await askFresh(engine, sequence.ids, { maxTokens: sequence.greedy.length, stopOnEos: false });
    assert.deepEqual(ids, sequence.greedy, sequence.text);
  }
});

test('chats are rendered and encoded as by the reference', () => {
  for (const { messages, prompt, ids } of golden.chats) {
    const text = engine.core.template({ messages, add_generation_prompt: true });
    assert.equal(text, prompt);
    assert.deepEqual([...engine.core.tokenize(text)], ids);
  }
});
