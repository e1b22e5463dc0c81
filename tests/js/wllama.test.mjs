// Greedy tokens beside llama.cpp's (npm @wllama/wllama in Chromium), on the same GGUF bytes.
//
// llama.cpp multiplies quantised weights with activations that it quantises too (to Q8_0), and F16 weights
// with activations rounded to float16; Quern multiplies in float32. So near-ties may fall differently. What is
// asked of every position, the tokens before it given: llama.cpp's choice is Quern's arg-max, or its float32
// logit is within NEAR_TIE of the best. Feeding llama.cpp's own tokens to Quern keeps all positions
// comparable after a difference. How noisy llama.cpp's logits are is measured on the way, from the distance
// between its two best tokens, and is bounded too.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';

import { findChromium, openPage, root, serve } from '../../bench/browser.mjs';
import { readGguf, writeGguf } from '../../bench/gguf.mjs';
import { ask, openEngine, shared, skipFixtures } from './lib/models.mjs';

const TOKENS = 64;
const PROMPTS = ['hello world', 'the quick brown fox', 'abc 123', 'Once upon a time'];
// Of the largest logit, by what llama.cpp rounds activations to: blocks of 32 in 8 bits move each by up to 1/254
// of the block's largest, blocks of 256 (K types) by as much of a larger one; float16 is off by up to 2^-11 of
// itself, bfloat16 by 2^-9. NOISE is a root mean square.
const NEAR_TIE = { block: 0.04, superblock: 0.05, f16: 0.002, bf16: 0.008 };
const NOISE = { block: 0.0125, superblock: 0.02, f16: 0.0005, bf16: 0.0025 };
const NORMAL = 1; // token type
const LEAST_EQUAL = 0.95; // of all positions of a file, near-ties counted as different

/** @typedef {keyof typeof NEAR_TIE} Kind */
/** @type {Record<Kind, string[]>} */
const FIXTURES = {
  block: ['qwen2_Q4_0', 'qwen2_Q4_1', 'qwen2_Q5_0', 'qwen2_Q5_1', 'qwen2_Q8_0', 'qwen2_untied_IQ4_NL', 'llama_Q4_0', 'llama_Q8_0', 'phi3_Q4_0', 'phi3_Q5_1', 'gemma2_Q4_0', 'gemma2_Q5_0'],
  superblock: ['qwen2_Q2_K_w256', 'qwen2_Q3_K_w256', 'qwen2_Q4_K_w256', 'qwen2_Q4_K_M_w256', 'qwen2_Q5_K_w256', 'qwen2_Q6_K_w256', 'qwen2_IQ4_XS_w256', 'llama_Q4_K_M_w256', 'phi3_Q4_K_M_w256', 'gemma2_Q3_K_w256'],
  f16: ['qwen2_F16', 'phi3_F16'], // not longrope: llama.cpp chooses its factors by the size of the cache, the reference by the length of the text
  bf16: ['qwen2_BF16', 'gemma2_BF16'],
};
/** @type {[name: string, path: string, kind: Kind][]} */
const FILES = [
  ...Object.entries(FIXTURES).flatMap(([kind, names]) => names.map((name) => /** @type {[string, string, Kind]} */ ([name, `fixtures/gguf/${name}/model.gguf`, kind]))),
  ['stories260K', 'assets/lm/stories260K/stories260K.gguf', 'f16'],
];

/**
 * A model of random weights says bytes that are no UTF-8, which wllama cannot put in its answer: such
 * tokens get ASCII names. Weights, ids and everything else stay.
 * @param {Buffer} file
 */
function withAsciiTokens(file) {
  const { meta, tensors } = readGguf(file);
  const list = meta.get('tokenizer.ggml.tokens');
  const merges = meta.get('tokenizer.ggml.merges');
  const types = meta.get('tokenizer.ggml.token_type');
  assert.ok(list && types);
  const ascii = (/** @type {string} */ token) => /^[\x21-\x7eĠĊ▁]+$/.test(token);
  list.value = list.value.map((/** @type {string} */ token, /** @type {number} */ id) => (ascii(token) ? token : `zq${id}`));
  if (merges) merges.value = merges.value.filter((/** @type {string} */ merge) => merge.split(' ').every(ascii));
  // SentencePiece's tokens of one byte.
  types.value = types.value.map((/** @type {number} */ type, /** @type {number} */ id) => (/^<0x[89A-F].>$/.test(list.value[id]) ? NORMAL : type));
  return writeGguf(meta, tensors);
}

const skip = skipFixtures || (findChromium() ? false : 'skipped: no Chromium') || (existsSync(join(root, 'node_modules/@wllama/wllama')) ? false : 'skipped: no @wllama/wllama');

test('greedy tokens of llama.cpp', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'quern-wllama-'));
  for (const [name, path] of FILES) writeFileSync(join(folder, `${name}.gguf`), withAsciiTokens(readFileSync(join(shared, path))));
  const server = await serve({ files: folder });
  const chromium = await openPage(server.url, { gpu: 'none' });
  try {
    for (const [name, , kind] of FILES) {
      await t.test(name, async (t) => {
        const peer = await chromium.page.evaluate(
          async ([model, prompts, tokens]) => {
            const { load } = await import(/** @type {string} */ ('/bench/adapters/wllama.js'));
            const engine = await load({ model, exact: true });
            const answers = [];
            for (const prompt of prompts) answers.push(await engine.generate({ prompt, maxTokens: tokens, logprobs: 2 }));
            const { eog } = engine;
            await engine.exit();
            return { eog, answers };
          },
          /** @type {const} */ ([`/files/${name}.gguf`, PROMPTS, TOKENS]),
        );
        const engine = await openEngine(join(folder, `${name}.gguf`), { context: 128 });
        /** @type {Followed} */
        const sum = { agreed: 0, gap: 0, noise: 0, noisiest: 0 };
        for (const [i, prompt] of PROMPTS.entries()) {
          const what = `${name}, "${prompt}"`;
          const { usage, choices } = peer.answers[i];
          const ids = [...engine.core.tokenize(prompt)];
          assert.equal(usage.prompt_tokens, ids.length, `${what}: tokens of the prompt`);
          assert.equal(choices[0].logprobs.content.length, TOKENS, what);
          await follow(sum, engine, ids, choices[0].logprobs.content, peer.eog, NEAR_TIE[kind], what);
        }
        engine.close();
        const all = TOKENS * PROMPTS.length;
        const noise = Math.sqrt(sum.noise / all);
        const percent = (/** @type {number} */ x) => `${(100 * x).toFixed(3)} %`;
        t.diagnostic(`${sum.agreed} of ${all} tokens equal; of the largest logit: gap of the others at most ${percent(sum.gap)}, noise ${percent(noise)}, at most ${percent(sum.noisiest)}`);
        assert.ok(sum.agreed >= LEAST_EQUAL * all, `${name}: ${sum.agreed} of ${all} tokens equal`);
        assert.ok(noise <= NOISE[kind], `${name}: logits differ by ${percent(noise)}`);
      });
    }
  } finally {
    await chromium.close();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

/** @typedef {{ agreed: number, gap: number, noise: number, noisiest: number }} Followed gaps as parts of the largest logit; noise: sum of squares */
/** @typedef {{ id: number, top_logprobs: { id: number, logprob: number }[] }} Choice of the peer */

/**
 * Walks along the peer's tokens; where Quern's own greedy tokens are the peer's, the running generation must say so too.
 * @param {Followed} sum @param {import('./lib/models.mjs').Engine} engine @param {number[]} prompt @param {Choice[]} choices
 * @param {number[]} banned tokens that end a text: the peer was told not to choose them
 * @param {number} nearTie @param {string} what
 */
async function follow(sum, engine, prompt, choices, banned, nearTie, what) {
  const session = engine.core.createSession();
  const theirs = choices.map((c) => c.id);
  let prefix = theirs.length; // tokens up to the first difference, or to a ban that mattered
  for (const [i, { id, top_logprobs: [a, b] }] of choices.entries()) {
    const { logits } = await ask(engine, session, [...prompt, ...theirs.slice(0, i)], { logits: true });
    const values = logits[0];
    const scale = values.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    const noise = Math.abs(a.logprob - b.logprob - (values[a.id] - values[b.id])) / scale;
    sum.noise += noise * noise;
    sum.noisiest = Math.max(sum.noisiest, noise);
    if (argmax(values, []) !== id) prefix = Math.min(prefix, i);
    const best = argmax(values, banned);
    if (best === id) {
      sum.agreed++;
      continue;
    }
    const gap = (values[best] - values[id]) / scale;
    assert.ok(gap <= nearTie, `${what}: token ${i} is ${id}, Quern's ${best} leads by ${(100 * gap).toFixed(2)} % of the largest logit`);
    sum.gap = Math.max(sum.gap, gap);
  }
  const { ids } = await ask(engine, session, prompt, { maxTokens: theirs.length });
  assert.deepEqual(ids.slice(0, prefix), theirs.slice(0, prefix), `${what}: the generation itself`);
  engine.core.destroySession(session);
}

/** @param {Float32Array} values @param {number[]} banned */
function argmax(values, banned) {
  let best = -1;
  for (let i = 0; i < values.length; i++) if (!banned.includes(i) && (best < 0 || values[i] > values[best])) best = i;
  return best;
}
